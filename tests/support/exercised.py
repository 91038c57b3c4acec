"""Which parameters of which operations the tests name, found in their sources.

A parameter is a keyword or a dictionary's key. It belongs to the operation that the smallest piece of code around it
names, and only when exactly one operation named there has such a parameter: what is not certain is not claimed.
Helpers count where they are called.
"""

import ast
import pathlib

from botocore import xform_name

TESTS = pathlib.Path(__file__).resolve().parents[1]
# What makes inputs from the models, or at random, names no parameter that somebody looked at.
GENERATORS = ("test_compatibility.py", "test_unimplemented.py", "examples.py", "exercised.py")
GENERATED = TESTS / "differential"


def exercised(models) -> set:
    """`(service, operation, parameter)` for all that the tests name; the parameter is None for the operation itself."""
    search = Search(models)
    modules = [path for path in sorted(TESTS.rglob("*.py")) if path.name not in GENERATORS and path.parent != GENERATED]
    trees = {path: ast.parse(path.read_text()) for path in modules}
    support = {path: functions(tree) for path, tree in trees.items() if path.parent.name == "support"}
    shared = {name: function for found in support.values() for name, function in found.items()}
    for tree in trees.values():
        search.module(tree, shared | functions(tree))
    return search.found


def functions(tree) -> dict:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


class Search:
    def __init__(self, models):
        self.found = set()
        self.members = {}
        self.by_name = {}
        for service, model in models.items():
            for name in model.operation_names:
                shape = model.operation_model(name).input_shape
                self.members[service, name] = set(shape.members) if shape else set()
                target = f"{model.metadata.get('targetPrefix')}.{name}"
                for spelling in (name, xform_name(name), target):
                    self.by_name.setdefault(spelling, set()).add((service, name))
        self.parameters = set().union(*self.members.values())

    def module(self, tree, helpers):
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self.helpers, self.operations_of = helpers, {}
        for node in ast.walk(tree):
            self.found |= {(*operation, None) for operation in self.named_by(node)}
            for parameter in self.given_by(node):
                self.credit(parameter, node, parents)

    def credit(self, parameter, node, parents, follows=True):
        """Finds the operation that the parameter given at this node belongs to, from the inside out."""
        place = node
        while place is not None and not isinstance(place, ast.Module):
            if isinstance(place, ast.Compare):
                return  # an expected answer
            candidates = {one for one in self.named_in(place) if parameter in self.members[one]}
            if candidates:
                if len(candidates) == 1:
                    self.found.add((*candidates.pop(), parameter))
                return
            if isinstance(place, ast.Assign):
                # What has a name belongs where the name is used. Names of names are not followed.
                names = {target.id for target in place.targets if isinstance(target, ast.Name)}
                scope = place
                while not isinstance(scope, ast.FunctionDef | ast.Module):
                    scope = parents[scope]
                uses = [n for n in ast.walk(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in names]
                for use in uses if follows else ():
                    self.credit(parameter, use, parents, follows=False)
                return
            place = parents.get(place)

    def given_by(self, node) -> set:
        """The parameters that this very node gives."""
        if isinstance(node, ast.keyword):
            return {node.arg} & self.parameters
        if isinstance(node, ast.Dict):
            return {key.value for key in node.keys if isinstance(key, ast.Constant)} & self.parameters
        helper = self.helpers.get(node.func.id) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
        if helper is None or self.named_in(helper):
            return set()
        return set().union(*(self.given_by(inner) for inner in ast.walk(helper)
                             if isinstance(inner, ast.keyword | ast.Dict)))

    def named_in(self, node) -> set:
        """The operations named anywhere in this node, also by the helpers it calls."""
        if node not in self.operations_of:
            self.operations_of[node] = set()  # a helper that calls itself ends here
            named = set().union(*(self.named_by(inner) for inner in ast.walk(node)))
            called = {inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call)}
            for inner in ast.walk(node):
                helper = self.helpers.get(inner.id) if isinstance(inner, ast.Name) else None
                # A fixture's name stands for what it made, unless that is called.
                if helper and (inner in called or not helper.decorator_list):
                    named |= self.named_in(helper)
            self.operations_of[node] = named
        return self.operations_of[node]

    def named_by(self, node) -> set:
        """The operations that this very node names."""
        if isinstance(node, ast.Attribute):
            named = self.by_name.get(node.attr, set())
            if len(named) < 2:
                return named
            # Several services have it: the client's name tells which.
            client = ast.unparse(node.value)
            service = next((service for service in ("kms", "cloudtrail") if service in client), "dynamodb")
            return {one for one in named if one[0] == service}
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = self.by_name.get(node.value, set())
            return named if len(named) == 1 else set()
        return set()
