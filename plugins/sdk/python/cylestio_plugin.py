"""The SDK for plugins in Python: rows by field name. How rows travel stays in here.
Version 0.1.0.

Values: text is str, integer int, real float, boolean bool, time an int of UTC nanoseconds, json whatever json.loads gives. A row without a
value, or with one of another type than plugin.toml declares, gives None.
"""

import json
import math
import struct
import traceback

from componentize_py_types import Err
from wit_world.imports import log as _log
from wit_world.imports.types import Batch, Column, PluginError_InvalidConfig, PluginError_InvalidInput, PluginError_Other

_BOOLEAN, _INTEGER, _REAL, _TIME, _TEXT, _JSON, _BYTES, _DICTIONARY, _GROUP = range(1, 10)
_KINDS = {"boolean": _BOOLEAN, "integer": _INTEGER, "real": _REAL, "time": _TIME, "text": _TEXT, "json": _JSON, "bytes": _BYTES, "group": _GROUP}
_CELLS = {_BOOLEAN: ("B", 1), _INTEGER: ("q", 8), _REAL: ("d", 8), _TIME: ("q", 8), _GROUP: ("I", 4)}


def _padded(length):
    return (length + 7) & ~7


class logger:
    """Lines for the plugin's own ring, shown at `/v1/plugins/{id}`."""

    @staticmethod
    def debug(message):
        _log.log(_log.Level.DEBUG, str(message))

    @staticmethod
    def info(message):
        _log.log(_log.Level.INFO, str(message))

    @staticmethod
    def warn(message):
        _log.log(_log.Level.WARN, str(message))

    @staticmethod
    def error(message):
        _log.log(_log.Level.ERROR, str(message))


# ---- what comes in


class _Cells:
    def __init__(self, batch, header, kind):
        data, rows, count = memoryview(batch.data), batch.rows, header.count
        at = header.at

        def take(code, width, length):
            nonlocal at
            section = data[at : at + length * width].cast(code)
            at += _padded(length * width)
            return section

        bitmap = (rows + 7) // 8
        self.kind = kind
        self.present = take("B", 1, bitmap) if header.bitmaps & 1 else None
        self.mismatched = take("B", 1, bitmap) if header.bitmaps & 2 else None
        self.codes = take("I", 4, rows) if header.kind == _DICTIONARY else None
        self.texts = {}
        if header.kind in _CELLS:
            self.cells = take(*_CELLS[header.kind], count)
        else:
            self.offsets = take("I", 4, count + 1)
            self.bytes = take("B", 1, self.offsets[count])

    def get(self, row):
        if self.present is not None and not self.present[row >> 3] >> (row & 7) & 1:
            return None
        kind = self.kind
        if kind in _CELLS:
            return self.cells[row] == 1 if kind == _BOOLEAN else self.cells[row]
        index = row if self.codes is None else self.codes[row]
        if kind == _TEXT and index in self.texts:
            return self.texts[index]
        value = bytes(self.bytes[self.offsets[index] : self.offsets[index + 1]])
        if kind == _BYTES:
            return value
        if kind == _JSON:
            return json.loads(value)
        self.texts[index] = text = value.decode()
        return text

    def is_mismatched(self, row):
        return self.mismatched is not None and bool(self.mismatched[row >> 3] >> (row & 7) & 1)

    def is_absent(self, row):
        return self.present is not None and not self.present[row >> 3] >> (row & 7) & 1 and not self.is_mismatched(row)


class Row:
    """One row, read by the field names of plugin.toml."""

    def __init__(self, columns):
        self._columns = columns
        self._row = 0

    def get(self, field):
        """The value of a field, None when the row has none of the declared type."""
        return self._column(field).get(self._row)

    def is_mismatched(self, field):
        """Whether the row has a value of another type than declared."""
        return self._column(field).is_mismatched(self._row)

    def is_absent(self, field):
        """Whether the row has no value at all, neither of the declared type nor of another."""
        return self._column(field).is_absent(self._row)

    def _column(self, field):
        column = self._columns.get(field)
        if column is None:
            raise KeyError(f"field `{field}` is not among the reads of plugin.toml")
        return column


def _rows(batch, reads, grouped):
    if len(batch.columns) != len(reads) + grouped:
        raise Err(PluginError_InvalidInput("the batch has another number of columns than the manifest"))
    columns = {read["field"]: _Cells(batch, header, _KINDS[read["type"]]) for read, header in zip(reads, batch.columns)}
    return Row(columns), _Cells(batch, batch.columns[-1], _GROUP).cells if grouped else None


# ---- what goes out


def _wrong(key, kind, value):
    return TypeError(f"key `{key}` is declared {kind} in plugin.toml and set to {type(value).__name__}")


def _encoded(key, kind, value):
    """What the column holds for `value`; None is absent."""
    if value is None:
        return None
    if kind == "json":
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    if kind == "text":
        if not isinstance(value, str):
            raise _wrong(key, kind, value)
        return value.encode("utf-8", "replace")
    if kind == "boolean":
        if not isinstance(value, bool):
            raise _wrong(key, kind, value)
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or kind != "real" and not isinstance(value, int):
        raise _wrong(key, kind, value)
    if kind == "real":
        return float(value) if math.isfinite(value) else None
    return value if -(2**63) <= value < 2**63 else None


def _sections(kind, cells):
    if kind in _CELLS:
        code, width = _CELLS[kind]
        section = struct.pack(f"<{len(cells)}{code}", *(0 if cell is None else cell for cell in cells))
        return section.ljust(_padded(len(section)), b"\0")
    offsets = [0]
    for cell in cells:
        offsets.append(offsets[-1] + len(cell or b""))
    packed = struct.pack(f"<{len(offsets)}I", *offsets)
    values = b"".join(cell for cell in cells if cell is not None)
    return packed.ljust(_padded(len(packed)), b"\0") + values.ljust(_padded(len(values)), b"\0")


def _batch(count, columns):
    headers, data = [], bytearray()
    for kind, cells in columns:
        at, absent = len(data), any(cell is None for cell in cells)
        if absent:
            present = bytearray(_padded((count + 7) // 8))
            for row, cell in enumerate(cells):
                if cell is not None:
                    present[row >> 3] |= 1 << (row & 7)
            data += present
        data += _sections(_KINDS[kind], cells)
        headers.append(Column(_KINDS[kind], int(absent), count, at))
    return Batch(count, headers, bytes(data))


class Patch:
    """The values that a plugin gives one row, by the keys of plugin.toml."""

    def __init__(self, writes):
        self._columns = {write["key"]: (write["type"], []) for write in writes}
        self._groups = []
        self._repeated = False

    def set(self, key, value):
        """Sets a key; None takes back what was set. An integer beyond 64 bits or a real that is not finite is absent."""
        if key not in self._columns:
            raise KeyError(f"key `{key}` is not among the writes of plugin.toml")
        kind, cells = self._columns[key]
        cells[-1] = _encoded(key, kind, value)

    def next_row(self):
        """For a metric that answers several rows for one group: ends this row and begins another of the same group."""
        self._repeated = True
        self._begin(self._groups[-1])

    def _begin(self, group):
        self._groups.append(group)
        for _, cells in self._columns.values():
            cells.append(None)

    def _finish(self):
        columns = list(self._columns.values())
        if self._repeated:
            columns.append(("group", self._groups))
        return _batch(len(self._groups), columns)


class Report:
    """What is wrong with the rows of a batch."""

    def __init__(self, violation, severity):
        self._violation, self._severity, self._row, self._violations = violation, severity, 0, []

    def reject(self, field, code, message):
        """The event cannot be used: it goes to quarantine. `code` is stable and kebab-case."""
        self._violations.append(self._violation(self._row, field, code, message, self._severity.REJECT))

    def flag(self, field, code, message):
        """The event is stored and carries this flag. `code` is stable and kebab-case."""
        self._violations.append(self._violation(self._row, field, code, message, self._severity.FLAG))


class Leaf:
    """One string of an event: `field` it belongs to, `part` (value, key, id, name), `pointer` if plugin.toml asks for it, `text`."""

    def __init__(self, row, pointer):
        self.field, self.part, self.text = row.get("field"), row.get("part"), row.get("text")
        self.pointer = row.get("pointer") if pointer else None


class Spans:
    """What is to be replaced in the leaves of a batch."""

    def __init__(self):
        self._leaf, self._text, self._cells = 0, "", ([], [], [], [])

    def replace(self, start, end, replacement):
        """Replaces `leaf.text[start:end]`, which overlaps no other span. A replacement has at most 256 bytes."""
        before = len(self._text[:start].encode())
        after = before + len(self._text[start:end].encode())
        for cells, cell in zip(self._cells, (self._leaf, before, after, replacement.encode("utf-8", "replace"))):
            cells.append(cell)

    def _finish(self):
        return _batch(len(self._cells[0]), list(zip(("integer", "integer", "integer", "text"), self._cells)))


# ---- the skins of the components. An error that the plugin raises ends the call; its text is in the plugin's ring.


def _guarded(work):
    def call(*arguments):
        try:
            return work(*arguments)
        except Err:
            raise
        except Exception as error:
            logger.error(traceback.format_exc())
            raise Err(PluginError_Other(f"{type(error).__name__}: {error}")) from None

    return call


class _Configured:
    def __init__(self, plugin):
        self._plugin = plugin

    def configure(self, config):
        try:
            if hasattr(self._plugin, "configure"):
                self._plugin.configure(json.loads(config))
        except Exception as error:
            raise Err(PluginError_InvalidConfig(f"{type(error).__name__}: {error}")) from None


def enricher(plugin, manifest):
    """The component of a module with `enrich(event, out)` and, if it likes, `configure(settings)`."""

    class Enricher(_Configured):
        def __init__(self):
            super().__init__(plugin)

        @_guarded
        def enrich(self, batch):
            row, _ = _rows(batch, manifest["reads"], False)
            out = Patch(manifest["writes"])
            for index in range(batch.rows):
                row._row = index
                out._begin(index)
                plugin.enrich(row, out)
            return out._finish()

    return Enricher


def validator(plugin, manifest):
    """The component of a module with `validate(event, report)` and, if it likes, `configure(settings)`."""
    from wit_world.exports.validator import Severity, Violation

    class Validator(_Configured):
        def __init__(self):
            super().__init__(plugin)

        @_guarded
        def validate(self, batch):
            row, _ = _rows(batch, manifest["reads"], False)
            report = Report(Violation, Severity)
            for index in range(batch.rows):
                row._row = report._row = index
                plugin.validate(row, report)
            return report._violations

    return Validator


def masker(plugin, _manifest):
    """The component of a module with `mask(leaf, out)` and, if it likes, `configure(settings)`."""

    class Masker(_Configured):
        def __init__(self):
            super().__init__(plugin)

        @_guarded
        def mask(self, batch):
            pointer = len(batch.columns) == 4
            names = ("field", "part", "pointer", "text") if pointer else ("field", "part", "text")
            row, _ = _rows(batch, [{"field": name, "type": "text"} for name in names], False)
            out = Spans()
            for index in range(batch.rows):
                row._row = out._leaf = index
                leaf = Leaf(row, pointer)
                out._text = leaf.text
                plugin.mask(leaf, out)
            return out._finish()

    return Masker


def metric(plugin, manifest):
    """The component of a module with a class `Metric(settings)`: `update(row)`, `merge(other)`, `state()`, `restore(state)`, `evaluate(out)`."""

    class Accumulator:
        def __init__(self, settings):
            self._settings, self._groups = settings, []

        @classmethod
        def open(cls, config, parameters):
            settings = {**json.loads(config or "{}"), **json.loads(parameters or "{}")}
            try:
                plugin.Metric(settings)
            except Exception as error:
                raise Err(PluginError_InvalidConfig(f"{type(error).__name__}: {error}")) from None
            return cls(settings)

        def _grow(self, count):
            while len(self._groups) < count:
                self._groups.append(plugin.Metric(self._settings))

        @_guarded
        def update(self, batch, group_count):
            self._grow(group_count)
            row, groups = _rows(batch, manifest["reads"], True)
            for index in range(batch.rows):
                row._row = index
                self._groups[groups[index]].update(row)

        @_guarded
        def merge(self, batch, group_count):
            self._grow(group_count)
            row, groups = _rows(batch, [{"field": "state", "type": "json"}], True)
            for index in range(batch.rows):
                row._row = index
                other = plugin.Metric(self._settings)
                other.restore(row.get("state"))
                self._groups[groups[index]].merge(other)

        @_guarded
        def state(self):
            return _batch(len(self._groups), [("bytes", [json.dumps(group.state()).encode() for group in self._groups])])

        @_guarded
        def evaluate(self):
            out = Patch(manifest["writes"])
            for index, group in enumerate(self._groups):
                out._begin(index)
                group.evaluate(out)
            return out._finish()

    return Accumulator
