# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import datetime as dt
import io
import shutil
import tempfile
import unittest
import zipfile
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

from lxml import etree

from trytond.modules.marketing_automation.scenario.svg import (
    Box, Style, graph, graphviz, svg)
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)

STYLE = Style('#cfe2f3')
SVG = '{http://www.w3.org/2000/svg}'
# What must not become markup
EVIL = '<script>alert("1")</script> & \\ \x01 \'x\''


def tree():
    return [
        Box(0, None, ["Start"], [], Style('#ffffff', 'ellipse')),
        Box(1, 0, ["A", "Send"], [], STYLE),
        Box(2, 1, ["A1"], ["Opened", "3 days"], STYLE),
        Box(3, 1, ["A2"], [], Style('#ffffff', 'folder'), muted=True),
        Box(4, 0, ["B"], [], Style('#ffffff', 'rounded')),
        ]


def texts(data):
    return [t.text for t in etree.fromstring(data).iter(f'{SVG}text')]


class DrawingTestCase(unittest.TestCase):
    "Test the pictures"

    def test_svg(self):
        "Each box and each arrow has its text"
        data = svg("Title", tree())
        root = etree.fromstring(data)

        self.assertEqual(
            texts(data), [
                "Title", "Opened", "3 days", "Start", "A", "Send", "A1", "A2",
                "B"])
        arrows = [
            p for p in root.iter(f'{SVG}path') if p.get('marker-end')]
        self.assertEqual(len(arrows), 4)

    def test_apart(self):
        "No box covers another one"
        root = etree.fromstring(svg("Title", [
                    Box(0, None, ["0"], [], STYLE),
                    *[Box(i, (i - 1) // 3, [str(i)], [], STYLE)
                        for i in range(1, 40)]]))
        boxes = [
            (float(r.get('x')), float(r.get('y'))) for r in root.iter(
                f'{SVG}rect') if r.get('x')]
        self.assertEqual(len(boxes), 40)
        self.assertEqual(len(set(boxes)), 40)
        for x, y in boxes:
            for other_x, other_y in boxes:
                if (x, y) != (other_x, other_y) and x == other_x:
                    self.assertGreater(abs(y - other_y), 62)
            self.assertGreaterEqual(x, 0)
            self.assertLess(x + 220, float(root.get('width')))
            self.assertLess(y + 62, float(root.get('height')))

    def test_direction(self):
        "Who writes from right to left reads the picture so too"
        def xs(rtl):
            return [
                float(r.get('x')) for r in etree.fromstring(
                    svg("Title", tree(), rtl)).iter(f'{SVG}rect')
                if r.get('x')]
        left, right = xs(False), xs(True)
        self.assertLess(left[0], left[1])
        self.assertGreater(right[0], right[1])

    def test_escape(self):
        "Texts are no markup"
        root = etree.fromstring(
            svg(EVIL, [Box(0, None, [EVIL, EVIL], [EVIL], STYLE)]))

        self.assertEqual(list(root.iter(f'{SVG}script')), [])
        self.assertIn('alert("1")', ''.join(root.itertext()))

    def test_empty(self):
        "There is a picture of nothing"
        self.assertEqual(texts(svg("Title", [])), ["Title"])

    def test_graph(self):
        "The graph for Graphviz has what the picture has"
        source = graph('Say "hi" \\ <b>', tree()).to_string()

        self.assertIn('label="Say \\"hi\\" \\\\ <b>"', source)
        self.assertIn('b1 -> b2', source)
        self.assertIn('Opened\\n3 days', source)
        self.assertNotIn('b0 -> b0', source)

    def test_no_program(self):
        "The program of Graphviz may be missing"
        with patch.dict('os.environ', {'PATH': '/nowhere'}):
            self.assertIsNone(graphviz("Title", tree()))

    def test_broken_program(self):
        "The program of Graphviz may fail"
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, 'dot')
            program.write_text('#!/bin/sh\nexit 1\n', encoding='utf-8')
            program.chmod(0o755)
            with patch.dict('os.environ', {'PATH': folder}), \
                    redirect_stdout(io.StringIO()):
                self.assertIsNone(graphviz("Title", tree()))

    @unittest.skipUnless(shutil.which('dot'), "Graphviz is missing")
    def test_graphviz(self):
        "Graphviz draws the same"
        for rtl in [False, True]:
            data = graphviz(EVIL, tree(), rtl)
            root = etree.fromstring(data)
            self.assertLessEqual(
                {"A1", "Opened", "3 days"}, set(texts(data)))
            self.assertEqual(list(root.iter(f'{SVG}script')), [])


class DiagramTestCase(unittest.TestCase):
    "Test the diagram of a scenario"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)
        activate_module('marketing_automation')

    def draw(self, name="Welcome"):
        pool = Pool()
        Scenario = pool.get('marketing.automation.scenario')
        Activity = pool.get('marketing.automation.activity')
        scenario, = Scenario.create([{'name': name}])
        mail, = Activity.create([{
                    'name': "Hello <you>", 'parent': str(scenario),
                    'action': 'send_email', 'email_title': "Hi",
                    'email_template': "<p>Hi</p>"}])
        Activity.create([{
                    'name': "Thanks", 'parent': str(mail),
                    'event': 'email_opened', 'delay': dt.timedelta(days=2)}])
        return Scenario(scenario.id)

    @with_transaction()
    def test_diagram(self):
        "The form shows the activities with their events and counts"
        scenario = self.draw()

        self.assertEqual(
            texts(scenario.diagram), [
                "Welcome", "E-Mail Opened", "2 days",
                "Start", "0 records entered",
                "Hello <you>", "Send E-Mail",
                "waiting 0 \u00b7 done 0 \u00b7 failed 0",
                "Thanks", "Wait or branch",
                "waiting 0 \u00b7 done 0 \u00b7 failed 0"])
        self.assertRegex(scenario.diagram_name, r'^scenario-\d+\.svg$')

    @with_transaction()
    def test_report(self):
        "The report has the picture also without Graphviz"
        Report = Pool().get(
            'marketing.automation.scenario.diagram', type='report')
        scenario = self.draw()
        with patch.dict('os.environ', {'PATH': '/nowhere'}):
            extension, data, direct, name = Report.execute(
                [scenario.id], {})

        self.assertEqual(extension, 'svg')
        self.assertIn("Thanks", texts(data))
        self.assertFalse(direct)
        self.assertEqual(name, "Diagram-Welcome")

    @unittest.skipUnless(shutil.which('dot'), "Graphviz is missing")
    @with_transaction()
    def test_report_graphviz(self):
        "The report is made by Graphviz with the texts of the form"
        Report = Pool().get(
            'marketing.automation.scenario.diagram', type='report')
        scenario = self.draw("Bienvenüe \u2192 \u4f60\u597d")

        extension, data, _, _ = Report.execute([scenario.id], {})

        self.assertEqual(extension, 'svg')
        self.assertIn(b'Generated by graphviz', data)
        self.assertEqual(
            sorted(texts(data)), sorted(texts(scenario.diagram)))

    @with_transaction()
    def test_report_several(self):
        "Several scenarios are in an archive"
        Report = Pool().get(
            'marketing.automation.scenario.diagram', type='report')
        scenarios = [self.draw(), self.draw()]

        extension, data, _, _ = Report.execute([s.id for s in scenarios], {})

        self.assertEqual(extension, 'zip')
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self.assertEqual(len(archive.namelist()), 2)

    @with_transaction()
    def test_styles(self):
        "All actions have a box"
        Activity = Pool().get('marketing.automation.activity')
        scenario = self.draw()
        activity = scenario.steps[-1]
        for action, _ in Activity.get_parent_actions():
            activity.action = action
            with self.subTest(action=action):
                self.assertEqual(len(activity._box().lines), 3)
