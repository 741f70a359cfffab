# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The errors that users see."

from trytond.exceptions import UserError
from trytond.model.exceptions import ValidationError


class DomainError(ValidationError):
    "The domain can not be searched"


class GoalError(ValidationError):
    "The goal can not be searched"


class AudienceError(ValidationError):
    "The audience, or one of its rules, can not be searched"


class UnicityError(ValidationError):
    "The values of the field can not be compared"


class ScenarioError(ValidationError):
    "The scenario can not run"


class ActivityError(ValidationError):
    "The activity can not be executed"


class ParentError(ActivityError):
    "The activity is not part of the tree of a scenario"


class DelayError(ActivityError):
    "The delay is missing or goes backward"


class ValidityError(ActivityError):
    "The activity would expire before it can be executed"


class DateError(ActivityError):
    "The date of the record can not be used"


class WindowError(ActivityError):
    "The sending times end before they begin"


class ConditionError(ActivityError):
    "The condition can not be evaluated"


class SenderError(ActivityError):
    "The address of the sender is not exactly one address"


class TemplateError(ActivityError):
    "The title or the template can not be compiled"


class ValueInvalidError(ActivityError):
    "The field can not be set, or not to this value"


class TrackingError(ActivityError):
    "The event is not known because the recipients are not tracked"


class SuppressionError(ValidationError):
    "The text to suppress is no e-mail address"


class TransportError(UserError):
    "The transport of the messages is out of reach"


class ScenarioTemplateError(UserError):
    "The template can not be used, or not so"


class ExchangeError(UserError):
    "The text is not one of a scenario that can be created here"


class ExchangeMissingError(ExchangeError):
    """
    Records that the scenario needs are not found.

    :ivar missing: a list of the names of their models and their names.
    """

    def __init__(self, *args, missing, **kwargs):
        super().__init__(*args, **kwargs)
        self.missing = missing


class NumberError(ValidationError):
    "The mobile number is not international"


class TestError(UserError):
    pass


class LayoutError(TemplateError):
    "The layout can not be used"


class AttachmentError(ActivityError):
    "The files are too big"


class EditorError(UserError):
    "The visual editor would damage the text"


class SendMeError(UserError):
    "The e-mail can not be sent to who writes it"


class PreflightError(UserError):
    "The scenario can not run as it is"


# The names that were documented before
CourierError = TransportError
BlueprintError = ScenarioTemplateError
