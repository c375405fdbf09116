"use strict";
// Everything shown is put in by textContent: what clients and plugins send is never read as markup.

const byId = (id) => document.getElementById(id);
const TOKEN = "cylestio-read-token";

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = String(text);
  return node;
}

class Refused extends Error {}

async function read(path) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token ? { authorization: "Bearer " + token } : {};
  const response = await fetch(path, { headers, cache: "no-store" });
  if (response.status === 401) throw new Refused();
  const body = await response.json().catch(() => null);
  if (!response.ok && path !== "/v1/health") throw new Error(body?.error?.message ?? "status " + response.status);
  return body;
}

function badge(node, text, mood) {
  node.className = "badge " + mood;
  node.textContent = text;
}

const moods = { ok: "good", degraded: "warn", serving: "good", refused: "bad", "breaker-open": "bad", compiling: "warn", "switched-off": "quiet", success: "good", error: "bad", open: "warn" };

function time(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? String(text ?? "") : at.toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
}

function table(node, columns, rows) {
  const head = element("tr");
  for (const column of columns) head.append(element("th", column.className, column.title));
  const body = rows.map((row) => {
    const line = element("tr");
    for (const column of columns) {
      const value = column.value(row);
      const cell = element("td", column.className);
      if (value instanceof Node) cell.append(value);
      else cell.textContent = value === null || value === undefined ? "\u2013" : String(value);
      if (typeof value === "string" && column.className === "wide") cell.title = value;
      line.append(cell);
    }
    return line;
  });
  node.replaceChildren(head, ...body);
}

function showHealth(health) {
  badge(byId("state"), health?.status ?? "unreachable", moods[health?.status] ?? "bad");
  byId("version").textContent = health?.version ? "version " + health.version : "";
  const notices = [];
  if (health?.insecure_reads) notices.push("Anyone who reaches this server may read what is stored (server.insecure_reads).");
  for (const part of health?.degraded ?? []) notices.push(typeof part === "string" ? part : (part.part ?? "") + ": " + (part.reason ?? ""));
  byId("notices").replaceChildren(...notices.map((text) => element("p", "notice", text)));
}

function showCounts(counts) {
  const titles = { events: "events", llm_calls: "model calls", tool_executions: "tool executions", sessions: "sessions", agents: "agents", security_alerts: "security alerts", quarantine: "in quarantine" };
  const cards = Object.entries(titles).filter(([key]) => counts?.[key] !== undefined).map(([key, title]) => {
    const card = element("div", "count");
    card.append(element("b", key === "quarantine" && counts[key] > 0 ? "warn" : "", Number(counts[key]).toLocaleString()), element("span", "", title));
    return card;
  });
  byId("counts").replaceChildren(...cards);
  const empty = counts !== undefined && counts.events === 0;
  byId("first-steps").hidden = !empty;
  if (empty) firstSteps();
}

function firstSteps() {
  const event = { schema_version: "1.0", timestamp: new Date().toISOString(), name: "llm.call.start", level: "INFO", agent_id: "my-agent", trace_id: "trace-1", span_id: "span-1", attributes: { "llm.vendor": "openai", "llm.model": "gpt-4o" } };
  byId("curl").textContent = "curl " + location.origin + "/v1/telemetry -H 'Content-Type: application/json' -d '" + JSON.stringify(event) + "'";
  byId("monitor").textContent = 'import cylestio_monitor\ncylestio_monitor.start_monitoring(agent_id="my-agent", config={"telemetry_endpoint": "' + location.origin + '"})';
}

function status(value) {
  const node = element("span");
  badge(node, value ?? "unknown", moods[value] ?? "quiet");
  return node;
}

function showCalls(calls) {
  byId("calls-section").hidden = calls.length === 0;
  table(byId("calls"), [
    { title: "Time", value: (call) => time(call.start_time) },
    { title: "Agent", className: "wide", value: (call) => call.agent_id },
    { title: "Model", className: "wide", value: (call) => call.model },
    { title: "Status", value: (call) => status(call.status) },
    { title: "Duration ms", className: "number", value: (call) => call.duration_ms?.toLocaleString() },
    { title: "Tokens in", className: "number", value: (call) => call.input_tokens?.toLocaleString() },
    { title: "Tokens out", className: "number", value: (call) => call.output_tokens?.toLocaleString() },
  ], calls);
}

function showEvents(events) {
  byId("events-section").hidden = events.length === 0;
  table(byId("events"), [
    { title: "Time", value: (event) => time(event.timestamp) },
    { title: "Event", className: "wide", value: (event) => event.name },
    { title: "Level", value: (event) => element("span", /ERROR|CRITICAL/.test(event.level) ? "bad" : /WARN|ALERT/.test(event.level) ? "warn" : "quiet", event.level) },
    { title: "Agent", className: "wide", value: (event) => event.agent_id },
    { title: "Trace", className: "wide", value: (event) => event.trace_id },
  ], events);
}

// A newer file that does not serve, in whose place the version before it goes on.
function nextVersion(plugin) {
  const name = plugin.next.version ? "Version " + plugin.next.version : "A newer file";
  const said = plugin.next.state === "compiling" ? name + " is being compiled" : name + " did not load";
  return element("p", plugin.next.state === "refused" ? "bad" : "warn", said + "; version " + plugin.version + " goes on serving.");
}

function pluginCard(plugin) {
  const card = element("article", "plugin");
  const head = element("h3");
  head.append(element("span", "", plugin.id), status(plugin.state));
  card.append(head, element("p", "quiet", [plugin.kind, plugin.version, plugin.origin === "shipped" ? "shipped" : plugin.origin?.file].filter(Boolean).join(" \u00b7 ")));
  if (plugin.description) card.append(element("p", "", plugin.description));
  if (plugin.state === "compiling") card.append(element("p", "", "It is large and being compiled apart; then it serves."));
  if (plugin.next) card.append(nextVersion(plugin));
  if (plugin.error) card.append(element("p", "bad", plugin.error));
  if (plugin.grant) card.append(element("p", "", "To allow it, add to grants.toml; it serves as soon as the lines stand there:"), element("pre", "", plugin.grant));
  return card;
}

function showPlugins({ items, problem }) {
  byId("plugins-section").hidden = items.length === 0 && !problem;
  byId("plugins-problem").textContent = problem ? "The files of grants and switches cannot be used, what they said before holds: " + problem : "";
  const order = ["refused", "breaker-open", "compiling", "serving", "switched-off"];
  // What serves while a newer file does not comes before what is well.
  const rank = (plugin) => plugin.next ? 2 : order.indexOf(plugin.state);
  byId("plugins").replaceChildren(...items.toSorted((a, b) => rank(a) - rank(b)).map(pluginCard));
}

async function refresh() {
  try {
    const health = await read("/v1/health");
    showHealth(health);
    const [overview, events, plugins] = await Promise.all([read("/v1/overview"), read("/v1/telemetry/events?limit=12"), read("/v1/plugins")]);
    byId("token-form").hidden = true;
    showCounts(overview.counts);
    showCalls(overview.calls);
    showEvents(events.items ?? events);
    showPlugins(plugins);
  } catch (error) {
    if (error instanceof Refused) {
      byId("token-error").textContent = sessionStorage.getItem(TOKEN) ? "That is not the token." : "";
      byId("token-form").hidden = false;
    } else {
      badge(byId("state"), "unreachable", "bad");
      byId("notices").replaceChildren(element("p", "notice bad", error.message));
    }
  }
}

// Only a page that is looked at asks, and only after the last answer came.
function again() {
  const wait = () => setTimeout(again, 5000);
  if (document.hidden || !byId("token-form").hidden) wait();
  else refresh().finally(wait);
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId("token").value.trim());
  byId("token").value = "";
  refresh();
});

refresh().finally(() => setTimeout(again, 5000));
