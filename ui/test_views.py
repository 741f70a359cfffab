# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from contextlib import ExitStack

from case import UserInterfaceTestCase

MODULE = 'marketing_automation'
# What shows nothing but changes the stage, or needs the line of a report
OTHERS = {
    'wizard_activity_add_child', 'wizard_activity_add_sibling',
    'wizard_failure_retry', 'wizard_reporting_origins'}
ADMINISTRATION = 'Marketing Automation Administration'
# As the client opens a line
DRAW = '''([model, type, view, ids]) => {
    const screen = new Sao.Screen(model, {mode: [type], view_ids: [view]});
    const show = () => {
        screen.current_record = screen.group[0];
        Sao.drawn = new Sao.Window.Form(screen, () => {}, {
            view_type: type,
            new_: !ids.length && type == 'form',
        });
    };
    ids.length ? screen.load(ids).then(show) : show();
}'''


def actions(pool, type_):
    "Return name, id, data and groups of the actions of the module"
    Data = pool.get('ir.model.data')
    Action = pool.get(type_)
    return [
        (data.fs_id, action.action.id, _data(pool, action),
            {group.name for group in action.groups})
        for data in Data.search([
                ('module', '=', MODULE),
                ('model', '=', type_),
                ], order=[('fs_id', 'ASC')])
        for action in [Action(data.db_id)]]


def _data(pool, action):
    "Return on which record the client executes it, None if it does not"
    models = [
        str(keyword.model).partition(',')[0] for keyword in action.keywords
        if keyword.keyword.startswith('form_')]
    # What only a button opens
    models.append(getattr(action, 'model', None))
    for name in models:
        if name:
            records = pool.get(name).search(
                [], order=[('id', 'ASC')], limit=1)
            if records:
                id_, = map(int, records)
                return {'model': name, 'id': id_, 'ids': [id_]}
    if any(k.keyword == 'tree_open' for k in action.keywords):
        return {}


class ViewsTestCase(UserInterfaceTestCase):
    "Test that the web client can draw all views"

    def setUp(self):
        super().setUp()
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.pool = stack.enter_context(self.stage.database())

    def execute(self, action, data):
        self.client.page.evaluate(
            "([action, data]) => { Sao.Action.execute(action, data, {}) }",
            [action, data])
        self.client.settle()

    def switch(self, index):
        "Show the view, with a record when there is one"
        return self.client.page.evaluate('''index => {
            const screen = Sao.Tab.tabs.get_current().screen;
            if (!screen.current_record && screen.group.length)
                screen.current_record = screen.group[0];
            const types = screen.views.map(v => v.view_type)
                .concat(screen.view_to_load);
            if (index) {
                // One that is not saved would have to be
                if (screen.current_record && screen.current_record.id < 0)
                    screen.group.remove(screen.current_record, true, true);
                screen.switch_view(undefined);
            }
            return types[index];
        }''', index)

    def test_windows(self):
        "Test each view of each window that a menu or a record opens"
        for name, id_, data, groups in actions(
                self.pool, 'ir.action.act_window'):
            if data is None:
                continue
            self.client.change(lambda: self.execute(id_, data))
            count = self.client.page.evaluate(
                '() => Sao.Tab.tabs.get_current().screen.number_of_views')
            for index in range(count):
                type_ = self.switch(index)
                with self.subTest(f'{name} {index} {type_}'):
                    self.check(f'{name}_{index}_{type_}')
            self.client.close_tabs()

    def check(self, name):
        self.client.picture(f'views/{name}')
        errors, self.browser.errors = self.browser.errors, []
        self.assertEqual(errors, [])
        self.assertEqual(self.client.says(), [])

    def test_wizards(self):
        "Test the first state of each wizard"
        for name, id_, data, groups in actions(self.pool, 'ir.action.wizard'):
            if ADMINISTRATION in groups or name in OTHERS:
                continue
            self.execute(id_, data or {})
            with self.subTest(name):
                self.check(name)
            self.client.close_tabs()

    def left(self):
        "Return the list of the views that no client has asked for"
        View = self.pool.get('ir.ui.view')
        return View.search([
                ('module', '=', MODULE),
                ('inherit', '=', None),
                ('type', '!=', None),
                ('id', 'not in', list(self.stage.views)),
                ])

    def test_yet_unseen(self):
        "Test the views of the lines, and of the later states of wizards"
        # The tests before, by the order of their names, open most
        for view in self.left():
            Model = self.pool.get(view.model)
            ids = []
            if hasattr(Model, 'search'):
                ids = [r.id for r in Model.search([], limit=1)]
            self.client.page.evaluate(
                DRAW, [view.model, view.type, view.id, ids])
            self.client.settle()
            with self.subTest(view.name):
                self.check(view.name)
            self.client.page.evaluate('() => { Sao.drawn.destroy() }')
            self.client.settle()
        self.assertEqual([v.name for v in self.left()], [])
