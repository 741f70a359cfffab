# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt

from lxml import etree

from trytond.pool import Pool

from ..common.flow import FlowTestCase
from ..test_statements import counted

RECORD = 'marketing.automation.record'
DAY = dt.timedelta(days=1)


class ComingTestCase(FlowTestCase):
    "Test what comes next for the records"

    def coming(self):
        "Return the next activity of each record and its days from now"
        with self.transaction():
            now = dt.datetime.now()
            return [
                (r.next_activity.name if r.next_activity else None,
                    round((r.next_at - now) / DAY) if r.next_at else None)
                for r in Pool().get(RECORD).search([], order=[('id', 'ASC')])]

    def test_next(self):
        "Test it is what is due first, and nothing when it has ended"
        ids = self.create(
            ("late", None, {'delay': 5 * DAY}),
            ("soon", None, {'delay': 2 * DAY}))
        self.assertEqual(self.coming(), [("soon", 2)] * 3)
        with self.transaction():
            Record = Pool().get(RECORD)
            Record.block(Record.search([], limit=1, order=[('id', 'ASC')]))
        self.assertEqual(
            self.coming(), [(None, None), ("soon", 2), ("soon", 2)])
        with self.transaction():
            RecordActivity = Pool().get(
                'marketing.automation.record.activity')
            waiting = RecordActivity.search([
                    ('activity', '=', ids["soon"]),
                    ('state', '=', 'waiting'),
                    ])
            RecordActivity.write(waiting, {'at': None})
        self.assertEqual(
            self.coming(), [(None, None), ("late", 5), ("late", 5)])
        with self.transaction():
            RecordActivity = Pool().get(
                'marketing.automation.record.activity')
            RecordActivity.write(
                RecordActivity.search([('activity', '=', ids["late"])]),
                {'state': 'done'})
        self.assertEqual(
            self.coming(), [(None, None), ("soon", None), ("soon", None)])

    def test_statements(self):
        "Test a list asks once for all records"
        self.create(("1", None, {'delay': DAY}))
        counts = []
        for limit in [1, 3]:
            with self.transaction():
                Record = Pool().get(RECORD)
                records = Record.search([], limit=limit)
                with counted() as statements:
                    Record.read(
                        [r.id for r in records], ['next_activity', 'next_at'])
                counts.append(len(statements))
        self.assertEqual(*counts)

    def test_forms(self):
        "Test the forms tell who, state, why and next in this order"
        with self.transaction():
            for model, expected in [
                    (RECORD, [
                            'rec_name', 'scenario', 'state', 'end_reason',
                            'next_activity', 'next_at']),
                    (RECORD + '.activity', [
                            'record', 'activity', 'activity_action', 'state',
                            'reason', 'detail', 'at'])]:
                with self.subTest(model=model):
                    view = Pool().get(model).fields_view_get(view_type='form')
                    names = [
                        f.get('name') for f in etree.fromstring(
                            view['arch']).iter('field')]
                    self.assertEqual(names[:len(expected)], expected)


del FlowTestCase
