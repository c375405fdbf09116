// The SDK for plugins in JavaScript: rows by field name. How rows travel stays in here.
// Version 0.1.0.
//
// Values: text is a string, integer a number (a BigInt beyond 2^53), real a number, boolean a boolean, time a BigInt of UTC nanoseconds,
// json whatever JSON.parse gives. A row without a value, or with one of another type than plugin.toml declares, gives null.
import log from "agent-telemetry:host/log@0.1.0-rc";
import text from "agent-telemetry:host/text@0.1.0-rc";

const KIND = { boolean: 1, integer: 2, real: 3, time: 4, text: 5, json: 6, bytes: 7, dictionary: 8, group: 9 };
const padded = (length) => (length + 7) & ~7;
const invalid = (message) => ({ tag: "invalid-input", val: message });

/** Lines for the plugin's own ring, shown at `/v1/plugins/{id}`. */
export const logger = {
  debug: (message) => log.log("debug", String(message)),
  info: (message) => log.log("info", String(message)),
  warn: (message) => log.log("warn", String(message)),
  error: (message) => log.log("error", String(message)),
};

// ---- what comes in

const bit = (bitmap, row) => bitmap !== null && ((bitmap[row >> 3] >> (row & 7)) & 1) === 1;

class Column {
  constructor(batch, header, type) {
    this.type = type;
    // A copy of its own, so that sections lie on the boundaries that typed arrays want.
    const data = batch.data;
    let at = data.byteOffset + header.at;
    const take = (Kind, count) => {
      const section = new Kind(data.buffer, at, count);
      at += padded(count * Kind.BYTES_PER_ELEMENT);
      return section;
    };
    const bitmap = (mask) => ((header.bitmaps & mask) === 0 ? null : take(Uint8Array, (batch.rows + 7) >> 3));
    this.present = bitmap(1);
    this.mismatched = bitmap(2);
    this.codes = header.kind === KIND.dictionary ? take(Uint32Array, batch.rows) : null;
    if (header.kind === KIND.boolean) this.cells = take(Uint8Array, header.count);
    else if (header.kind === KIND.integer || header.kind === KIND.time) this.cells = take(BigInt64Array, header.count);
    else if (header.kind === KIND.real) this.cells = take(Float64Array, header.count);
    else if (header.kind === KIND.group) this.cells = take(Uint32Array, header.count);
    else {
      const offsets = take(Uint32Array, header.count + 1);
      this.offsets = offsets;
      this.bytes = take(Uint8Array, offsets[header.count]);
      this.cells = null;
    }
  }

  get(row) {
    if (this.present !== null && !bit(this.present, row)) return null;
    const index = this.codes === null ? row : this.codes[row];
    if (this.type === "bytes") return this.bytes.subarray(this.offsets[index], this.offsets[index + 1]);
    if (this.cells === null) this.read();
    const cell = this.cells[index];
    if (this.type === "boolean") return cell === 1;
    if (this.type === "json") return JSON.parse(cell);
    if (this.type === "integer") {
      const number = Number(cell);
      return Number.isSafeInteger(number) ? number : cell;
    }
    return cell;
  }

  read() {
    const offsets = new Uint8Array(this.offsets.buffer, this.offsets.byteOffset, this.offsets.byteLength);
    this.cells = text.texts(offsets, this.bytes);
  }
}

class Row {
  constructor(columns) {
    this.columns = columns;
    this.row = 0;
  }

  /** The value of a field that plugin.toml reads, null when the row has none of the declared type. */
  get(field) {
    return this.column(field).get(this.row);
  }

  /** Whether the row has a value of another type than declared. */
  isMismatched(field) {
    return bit(this.column(field).mismatched, this.row);
  }

  /** Whether the row has no value at all, neither of the declared type nor of another. */
  isAbsent(field) {
    const column = this.column(field);
    return column.present !== null && !bit(column.present, this.row) && !bit(column.mismatched, this.row);
  }

  column(field) {
    const column = this.columns.get(field);
    if (column === undefined) throw new Error(`field \`${field}\` is not among the reads of plugin.toml`);
    return column;
  }
}

function rows(batch, manifest, grouped) {
  if (batch.columns.length !== manifest.reads.length + (grouped ? 1 : 0)) throw invalid("the batch has another number of columns than the manifest");
  const aligned = { ...batch, data: new Uint8Array(batch.data) };
  const columns = new Map();
  manifest.reads.forEach(({ field, type }, index) => columns.set(field, new Column(aligned, batch.columns[index], type)));
  const groups = grouped ? new Column(aligned, batch.columns[batch.columns.length - 1], "group").cells : null;
  return { row: new Row(columns), groups };
}

// ---- what goes out

function utf8(string) {
  const bytes = [];
  for (const character of string) {
    let code = character.codePointAt(0);
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return bytes;
}

const wrong = (key, type, value) => new Error(`key \`${key}\` is declared ${type} in plugin.toml and set to a ${typeof value}`);

function integer(key, type, value) {
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? value : null;
  if (typeof value !== "number" || !Number.isInteger(value)) throw wrong(key, type, value);
  return Math.abs(value) < 2 ** 63 ? BigInt(value) : null;
}

/** What the column of `type` holds for `value`; null is absent. */
function encoded(key, type, value) {
  if (value === null || value === undefined) return null;
  switch (type) {
    case "boolean":
      if (typeof value !== "boolean") throw wrong(key, type, value);
      return value ? 1 : 0;
    case "integer":
    case "time":
      return integer(key, type, value);
    case "real":
      if (typeof value !== "number") throw wrong(key, type, value);
      return Number.isFinite(value) ? value : null;
    case "text":
      if (typeof value !== "string") throw wrong(key, type, value);
      return utf8(value);
    case "json":
      return utf8(JSON.stringify(value));
    default:
      return value;
  }
}

function section(Kind, values) {
  const bytes = new Uint8Array(padded(values.length * Kind.BYTES_PER_ELEMENT));
  new Kind(bytes.buffer, 0, values.length).set(values);
  return bytes;
}

function sections(type, cells) {
  const fixed = { boolean: [Uint8Array, 0], integer: [BigInt64Array, 0n], time: [BigInt64Array, 0n], real: [Float64Array, 0], group: [Uint32Array, 0] }[type];
  if (fixed) return [section(fixed[0], cells.map((cell) => cell ?? fixed[1]))];
  const offsets = [0];
  for (const cell of cells) offsets.push(offsets[offsets.length - 1] + (cell === null ? 0 : cell.length));
  const bytes = new Uint8Array(offsets[cells.length]);
  cells.forEach((cell, row) => cell !== null && bytes.set(cell, offsets[row]));
  return [section(Uint32Array, offsets), section(Uint8Array, bytes)];
}

/** A batch of `columns`: {type, cells}. */
function batch(count, columns) {
  const headers = [];
  const all = [];
  let length = 0;
  for (const { type, cells } of columns) {
    const parts = sections(type, cells);
    const absent = cells.some((cell) => cell === null);
    if (absent) {
      const present = new Uint8Array(padded((count + 7) >> 3));
      cells.forEach((cell, row) => cell !== null && (present[row >> 3] |= 1 << (row & 7)));
      parts.unshift(present);
    }
    headers.push({ kind: KIND[type], bitmaps: absent ? 1 : 0, count, at: length });
    for (const part of parts) {
      all.push(part);
      length += part.length;
    }
  }
  const data = new Uint8Array(length);
  let at = 0;
  for (const part of all) {
    data.set(part, at);
    at += part.length;
  }
  return { rows: count, columns: headers, data };
}

class Patch {
  constructor(manifest) {
    this.columns = new Map(manifest.writes.map(({ key, type }) => [key, { type, cells: [] }]));
    this.groups = [];
    this.repeated = false;
  }

  /** Sets a key that plugin.toml writes; null takes back what was set. An integer beyond 64 bits or a real that is not finite is absent. */
  set(key, value) {
    const column = this.columns.get(key);
    if (column === undefined) throw new Error(`key \`${key}\` is not among the writes of plugin.toml`);
    column.cells[column.cells.length - 1] = encoded(key, column.type, value);
  }

  /** For a metric that answers several rows for one group: ends this row and begins another of the same group. */
  nextRow() {
    this.repeated = true;
    this.begin(this.groups[this.groups.length - 1]);
  }

  begin(group) {
    this.groups.push(group);
    for (const column of this.columns.values()) column.cells.push(null);
  }

  finish() {
    const columns = [...this.columns.values()];
    if (this.repeated) columns.push({ type: "group", cells: this.groups });
    return batch(this.groups.length, columns);
  }
}

class Report {
  constructor() {
    this.row = 0;
    this.violations = [];
  }

  /** The event cannot be used: it goes to quarantine. `code` is stable and kebab-case. */
  reject(field, code, message) {
    this.violations.push({ row: this.row, field, code, message, severity: "reject" });
  }

  /** The event is stored and carries this flag. `code` is stable and kebab-case. */
  flag(field, code, message) {
    this.violations.push({ row: this.row, field, code, message, severity: "flag" });
  }
}

class Spans {
  constructor() {
    this.cells = [[], [], [], []];
  }

  /** Replaces `leaf.text.slice(start, end)`, which overlaps no other span. A replacement has at most 256 bytes. */
  replace(start, end, replacement) {
    const before = utf8(this.text.slice(0, start)).length;
    const after = before + utf8(this.text.slice(start, end)).length;
    [BigInt(this.leaf), BigInt(before), BigInt(after), utf8(replacement)].forEach((cell, column) => this.cells[column].push(cell));
  }

  finish() {
    const types = ["integer", "integer", "integer", "text"];
    return batch(this.cells[0].length, this.cells.map((cells, column) => ({ type: types[column], cells })));
  }
}

// ---- the skins of the components. An error that the plugin throws ends the call; its text is in the plugin's ring.

function guarded(work) {
  try {
    return work();
  } catch (error) {
    if (error && error.tag) throw error;
    log.log("error", String(error && error.stack ? `${error}\n${error.stack}` : error));
    throw { tag: "other", val: String(error) };
  }
}

function configured(plugin, config) {
  if (plugin.configure === undefined) return;
  try {
    plugin.configure(JSON.parse(config));
  } catch (error) {
    throw { tag: "invalid-config", val: String(error) };
  }
}

export const enricher = (plugin, manifest) => ({
  configure: (config) => configured(plugin, config),
  enrich: (input) =>
    guarded(() => {
      const { row } = rows(input, manifest, false);
      const out = new Patch(manifest);
      for (row.row = 0; row.row < input.rows; row.row++) {
        out.begin(row.row);
        plugin.enrich(row, out);
      }
      return out.finish();
    }),
});

export const validator = (plugin, manifest) => ({
  configure: (config) => configured(plugin, config),
  validate: (input) =>
    guarded(() => {
      const { row } = rows(input, manifest, false);
      const report = new Report();
      for (row.row = 0; row.row < input.rows; row.row++) {
        report.row = row.row;
        plugin.validate(row, report);
      }
      return report.violations;
    }),
});

export const masker = (plugin) => ({
  configure: (config) => configured(plugin, config),
  mask: (input) =>
    guarded(() => {
      const names = input.columns.length === 4 ? ["field", "part", "pointer", "text"] : ["field", "part", "text"];
      const { row } = rows(input, { reads: names.map((field) => ({ field, type: "text" })) }, false);
      const out = new Spans();
      for (row.row = 0; row.row < input.rows; row.row++) {
        const leaf = Object.fromEntries(names.map((name) => [name, row.get(name)]));
        out.leaf = row.row;
        out.text = leaf.text;
        plugin.mask(leaf, out);
      }
      return out.finish();
    }),
});

export function metric(plugin, manifest) {
  class Accumulator {
    static open(config, parameters) {
      const settings = { ...JSON.parse(config || "{}"), ...JSON.parse(parameters || "{}") };
      const accumulator = new Accumulator();
      accumulator.create = () => new plugin.Metric(settings);
      accumulator.groups = [];
      try {
        accumulator.create();
      } catch (error) {
        throw { tag: "invalid-config", val: String(error) };
      }
      return accumulator;
    }

    grow(count) {
      while (this.groups.length < count) this.groups.push(this.create());
    }

    update(input, count) {
      guarded(() => {
        this.grow(count);
        const { row, groups } = rows(input, manifest, true);
        for (row.row = 0; row.row < input.rows; row.row++) this.groups[groups[row.row]].update(row);
      });
    }

    merge(input, count) {
      guarded(() => {
        this.grow(count);
        const states = { reads: [{ field: "state", type: "json" }] };
        const { row, groups } = rows(input, states, true);
        for (row.row = 0; row.row < input.rows; row.row++) {
          const other = this.create();
          other.restore(row.get("state"));
          this.groups[groups[row.row]].merge(other);
        }
      });
    }

    state() {
      return guarded(() => batch(this.groups.length, [{ type: "bytes", cells: this.groups.map((group) => utf8(JSON.stringify(group.state()))) }]));
    }

    evaluate() {
      return guarded(() => {
        const out = new Patch(manifest);
        this.groups.forEach((group, id) => {
          out.begin(id);
          group.evaluate(out);
        });
        return out.finish();
      });
    }
  }
  return { Accumulator };
}
