"use strict";

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = String(text);
  return node;
}

function parameters(list) {
  const table = element("table");
  const head = element("tr");
  for (const title of ["Parameter", "In", "Type", ""]) head.append(element("th", "", title));
  table.append(head);
  for (const parameter of list) {
    const line = element("tr");
    const name = element("td");
    name.append(element("code", "", parameter.name));
    const choices = parameter.schema.enum ? " (" + parameter.schema.enum.join(", ") + ")" : "";
    line.append(name, element("td", "", parameter.in), element("td", "", parameter.schema.type), element("td", "loose", parameter.description + choices));
    table.append(line);
  }
  const scroll = element("div", "scroll");
  scroll.append(table);
  return scroll;
}

function operation(method, path, told) {
  const card = element("details", "operation");
  const head = element("summary");
  head.append(element("span", "badge " + (method === "get" ? "good" : "warn"), method.toUpperCase()), " ", element("code", "", path), " ", element("span", "quiet", told.summary));
  card.append(head);
  if (told.requestBody) card.append(element("p", "", "Body: " + told.requestBody.description));
  if (told.parameters.length) card.append(parameters(told.parameters));
  for (const [status, answer] of Object.entries(told.responses)) {
    if (answer.description) card.append(element("p", "", status + ": " + answer.description));
  }
  const errors = Object.entries(told.responses).filter(([, answer]) => answer.$ref).map(([status]) => status);
  if (errors.length) card.append(element("p", "quiet", "Errors: " + errors.join(", ")));
  return card;
}

async function show() {
  const main = document.getElementById("operations");
  const token = sessionStorage.getItem("cylestio-read-token");
  const response = await fetch("/openapi.json", { headers: token ? { authorization: "Bearer " + token } : {} });
  if (!response.ok) throw new Error(response.status === 401 ? "This server asks for its read token: give it on the overview page first." : "status " + response.status);
  const told = await response.json();
  document.getElementById("version").textContent = "version " + told.info.version;
  const sections = new Map();
  for (const [path, methods] of Object.entries(told.paths)) {
    for (const [method, one] of Object.entries(methods)) {
      const tag = one.tags[0];
      if (!sections.has(tag)) {
        const section = element("section", "card");
        section.append(element("h2", "", tag));
        sections.set(tag, section);
      }
      sections.get(tag).append(operation(method, path, one));
    }
  }
  main.replaceChildren(...sections.values());
}

show().catch((error) => { document.getElementById("note").textContent = error.message; });
