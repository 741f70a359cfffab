# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""
Alert of the marketers when a scenario stops itself, breaks or ends.
"""

import datetime as dt
import json
from email.message import EmailMessage

from sql import Literal
from sql.aggregate import Max

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.sendmail import send_message_transactional
from trytond.transaction import Transaction, without_check_access

from ..common.address import sender
from ..common.sql import to_datetime

# A problem that comes back sooner is the same
_SAME = dt.timedelta(days=1)
# How long nobody has entered a scenario that has ended
_QUIET = dt.timedelta(days=1)


class ScenarioAlert:
    "Alerts about the problems and the end of a scenario"
    __slots__ = ()

    told = fields.Text(
        "Told", readonly=True, strip=False,
        help="What the marketers have been told since it was run.")

    @classmethod
    def copy(cls, scenarios, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('told')
        return super().copy(scenarios, default=default)

    @classmethod
    @ModelView.button
    def run(cls, scenarios):
        super().run(scenarios)
        cls.write(scenarios, {'told': None})

    @classmethod
    def set_problem(cls, id_, code, **words):
        before = cls._problem_codes(id_)
        super().set_problem(id_, code, **words)
        after = cls._problem_codes(id_)
        if code in after - before:
            cls.alert(id_, code)
        elif code in before - after:
            cls._alert_resolved(id_, code)

    @classmethod
    def _problem_codes(cls, id_):
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(table.problems, where=table.id == id_))
        row = cursor.fetchone()
        return set(json.loads(row[0])) if row and row[0] else set()

    @classmethod
    def alert(cls, id_, code):
        """
        Alert the marketers about the scenario, unless they know it already:
        ``ended``, or the code of a problem.

        They are alerted again once the scenario was run again, or when the
        problem comes back after it was over for a day.
        """
        scenario = cls(id_)
        alerted = json.loads(scenario.told) if scenario.told else {}
        now = dt.datetime.now().replace(microsecond=0)
        if code in alerted:
            over = alerted[code]
            if not over or now - dt.datetime.fromisoformat(over) < _SAME:
                alerted[code] = None
                cls._store_alerted(scenario, alerted)
                return
        alerted[code] = None
        cls._store_alerted(scenario, alerted)
        cls._notify(scenario, code)
        cls._mail(scenario, code)

    @classmethod
    def _alert_resolved(cls, id_, code):
        scenario = cls(id_)
        alerted = json.loads(scenario.told) if scenario.told else {}
        if code in alerted:
            now = dt.datetime.now().replace(microsecond=0)
            alerted[code] = now.isoformat()
            cls._store_alerted(scenario, alerted)

    @classmethod
    def _store_alerted(cls, scenario, alerted):
        with without_check_access():
            cls.write([scenario], {
                    'told': json.dumps(alerted, sort_keys=True),
                    })

    @classmethod
    def _alert_label(cls, scenario, code):
        "Return the sentence about what has happened"
        name = {
            'breaker': 'msg_scenario_stopped',
            'ended': 'msg_notify_ended',
            }.get(code, 'msg_notify_broke')
        return gettext(
            f'marketing_automation.{name}', scenario=scenario.rec_name)

    @classmethod
    def _notify(cls, scenario, code):
        Notification = Pool().get('res.notification')
        notifications = []
        for user in cls._users_to_notify():
            language = user.language.code if user.language else None
            with Transaction().set_context(language=language):
                translated = cls(scenario.id)
                notifications.append({
                        'user': user.id,
                        'label': cls._alert_label(translated, code),
                        'description': (
                            None if code == 'ended'
                            # It is one line
                            else ' '.join((translated.problem or '').split())),
                        'icon': (
                            'tryton-info' if code == 'ended'
                            else 'tryton-warning'),
                        'model': cls.__name__,
                        'records': json.dumps([scenario.id]),
                        'unread': True,
                        })
        with without_check_access():
            Notification.create(notifications)

    @classmethod
    def _users_to_notify(cls):
        "Return the users of the group Marketing"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        group = ModelData.get_id('marketing', 'group_marketing')
        with without_check_access():
            return User.search([('groups', '=', group)])

    @classmethod
    def _mail(cls, scenario, code):
        "Send the alert to the addresses of the configuration"
        addresses = config.get('marketing', 'notify_email', default='')
        addresses = [a.strip() for a in addresses.split(',') if a.strip()]
        if not addresses:
            return
        message = EmailMessage()
        message['From'] = sender()
        message['To'] = ', '.join(addresses)
        message['Subject'] = cls._alert_label(scenario, code)
        message['Auto-Submitted'] = 'auto-generated'
        message.set_content('\n\n'.join(filter(None, [
                        cls._alert_label(scenario, code),
                        None if code == 'ended' else scenario.problem,
                        scenario.__href__])))
        send_message_transactional(message)

    # The end

    @classmethod
    def enter(cls, scenarios):
        ids = [s.id for s in scenarios]
        super().enter(scenarios)
        transaction = Transaction()
        with transaction.set_user(0):
            for scenario in cls.browse(ids):
                if scenario._has_ended():
                    cls.alert(scenario.id, 'ended')
            transaction.commit()

    def _has_ended(self):
        """
        Return if nothing more is to come for all that have entered, and
        nobody has entered for a while.
        """
        if self.state != 'running':
            return False
        Record = Pool().get('marketing.automation.record')
        table = Record.__table__()
        cursor = Transaction().connection.cursor()
        of_scenario = (
            (table.scenario == self.id) & (table.test == Literal(False)))
        # The last one is found by an index, for any one PostgreSQL would look
        # through the table
        cursor.execute(*table.select(
                Max(table.id), where=of_scenario & Record.is_active(table)))
        inside, = cursor.fetchone()
        if inside:
            return False
        cursor.execute(*table.select(
                Max(Record.create_date.sql_cast(table.create_date)),
                where=of_scenario))
        last, = cursor.fetchone()
        return bool(last) and (
            to_datetime(last) < dt.datetime.now() - _QUIET)
