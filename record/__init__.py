# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who is in a scenario: enter, leave, complete, same, add by hand."
