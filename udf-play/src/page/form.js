"use strict";
// The form of a UDF, made from its description. page.js follows in the same script.

// A run begins this many milliseconds after the last key.
const TYPING = 60;

// Creates an element with attributes and children.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

const button = (text, onclick, more = {}) => make("button", { type: "button", onclick, ...more }, text);

const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1).replace(/[.]?$/, ".") : "");

// Returns the value one step away: of a number, or of a duration such as 10s.
function stepped(text, isWhole, steps) {
  const [, digits, unit] = /^\s*(-?\d*\.?\d+)(.*)$/.exec(text) ?? [null, "0", ""];
  const value = Number(digits);
  // One unit of the second digit of a float.
  const power = isWhole ? 0 : Math.min(0, Math.floor(Math.log10(Math.abs(value) || 1)) - 1);
  const decimals = Math.max(-power, (digits.split(".")[1] ?? "").length);
  return (value + steps * 10 ** power).toFixed(decimals) + unit;
}

class Form {
  // Creates the form of one setting. `changed` is called after each change.
  constructor(page, letter, values, changed) {
    this.page = page;
    this.letter = letter;
    this.changed = changed;
    this.options = page.udf.options.map((option) => this.option(option, values));
    const current = this.options.filter((field) => !field.isOld);
    const old = this.options.filter((field) => field.isOld);
    this.root = make("form", { autocomplete: "off", spellcheck: "false" });
    this.root.addEventListener("submit", (event) => event.preventDefault());
    this.root.append(...current.map((field) => field.root));
    if (old.length) {
      const summary = make("summary", {}, "Deprecated options");
      this.root.append(make("details", {}, summary, ...old.map((field) => field.root)));
    }
    this.input = this.inputFields(values);
    this.root.append(...this.input.roots);
  }

  // Returns the values, as the server reads them.
  values() {
    const options = this.options.flatMap(({ name, calls }) => calls().map((args) => ({ name, args })));
    return { options, ...this.input.values() };
  }

  // Shows the errors of a result at their fields. Returns the others.
  problems(result) {
    const rest = [];
    const texts = new Map();
    for (const { option, text } of result.problems) {
      if (!this.options.some((field) => field.name === option)) rest.push(text);
      else texts.set(option, [...(texts.get(option) ?? []), text]);
    }
    // A UDF that skips each point without a field returns nothing, and no error.
    const isEmpty = result.points_in && !result.points_out;
    for (const { name, args } of isEmpty ? this.values().options : []) {
      const option = this.page.udf.options.find((option) => option.name === name);
      if (isFieldName(option) && !option.default && !this.page.input.fields.includes(args[0])) {
        texts.set(name, [`no point of the input has the field \`${args[0]}\``]);
      }
    }
    for (const field of this.options) {
      field.show((texts.get(field.name) ?? []).join("\n"));
    }
    this.input.every?.show(result.every_problem ?? "");
    return rest;
  }

  id(...parts) {
    return [this.letter, ...parts].join("-");
  }

  // Creates the place of errors, and returns a function that shows one there.
  problemPlace(id, root) {
    const place = make("p", { class: "problem", id, "aria-live": "polite" });
    const show = (text) => {
      place.textContent = text;
      for (const control of root.querySelectorAll("input, select")) {
        if (text) control.setAttribute("aria-invalid", "true");
        else control.removeAttribute("aria-invalid");
      }
    };
    return { place, show };
  }

  option(option, values) {
    const { name } = option;
    const ids = { hint: this.id(name, "hint"), problem: this.id(name, "problem") };
    const described = `${ids.hint} ${ids.problem}`;
    const calls = values.options.filter((call) => call.name === name).map((call) => call.args);
    const mark = option.deprecated != null ? " deprecated" : option.required ? " required" : "";
    const title = [make("span", { class: "name" }, name), make("span", { class: "mark" }, mark)];
    const hint = make("p", { class: "hint", id: ids.hint }, hintOf(option));
    const field = { name, isOld: option.deprecated != null && !calls.length };
    if (option.arguments.length === 0) {
      const box = make("input", {
        type: "checkbox", id: this.id(name), "aria-describedby": described,
      });
      box.checked = calls.length > 0;
      box.addEventListener("change", () => this.changed(0));
      field.root = make("div", { class: "option" }, make("label", { class: "check", for: box.id }, box, ...title), hint);
      field.calls = () => (box.checked ? [[]] : []);
    } else {
      const isSingle = option.arguments.length === 1 && option.repeated === false;
      field.root = isSingle
        ? make("div", { class: "option" }, make("label", { for: this.id(name, 0, 0) }, ...title), hint)
        : make("fieldset", { class: "option" }, make("legend", {}, ...title), hint);
      const rows = make("div");
      const add = (args) => rows.append(this.row(option, args, isSingle, described));
      const count = Math.max(calls.length, isSingle ? 1 : Math.min(option.min_calls ?? 1, 20), 1);
      for (let at = 0; at < count; at++) add(calls[at] ?? []);
      field.root.append(rows);
      if (option.repeated !== false) {
        field.root.append(button("Add a call", () => {
          add([]);
          rows.lastElementChild.querySelector("input, select").focus();
        }, { "aria-label": `Add a call of ${name}` }));
      }
      field.calls = () => [...rows.children]
        .map((row) => [...row.querySelectorAll("input, select")].map(({ value }) => value))
        .filter((args) => args.some((arg) => arg !== ""));
    }
    const { place, show } = this.problemPlace(ids.problem, field.root);
    field.root.append(place);
    field.show = show;
    return field;
  }

  // Creates the controls of one call.
  row(option, args, isSingle, described) {
    const { name } = option;
    this.rows = (this.rows ?? 0) + 1;
    const row = make("div", { class: "row" });
    option.arguments.forEach((type, at) => {
      const id = isSingle ? this.id(name, 0, 0) : this.id(name, this.rows, at);
      const control = this.control(id, type, {
        value: args[at] ?? "",
        unset: option.default ? String(shown(option.default[at], type)) : "",
        first: option.default?.[at] ?? option.example[at],
        choices: option.arguments.length === 1 ? option.choices : [],
        list: listOf(option),
        isSecret: this.page.secrets.includes(name),
        described,
      });
      const unnamed = option.arguments.length > 1 ? `argument ${at + 1}` : `value of ${name}`;
      const label = isSingle ? null : make("label", { for: id },
        option.argument_names[at] || unnamed, make("span", { class: "mark" }, ` ${type}`));
      row.append(make("div", { class: "argument" }, label, control));
    });
    if (option.repeated !== false) {
      row.append(button("Remove", () => {
        row.remove();
        this.changed(0);
      }, { "aria-label": `Remove this call of ${name}` }));
    }
    return row;
  }

  control(id, type, { value, unset, first, choices, list, described, isSecret }) {
    const common = { id, "aria-describedby": described };
    const bools = type === "BOOL" ? ["TRUE", "FALSE"] : [];
    const names = choices.length ? choices.map((choice) => choice.value) : bools;
    if (names.length) {
      const select = make("select", { ...common, onchange: () => this.changed(0) });
      select.append(make("option", { value: "" }, unset ? `default: ${unset}` : "not set"));
      for (const [at, name] of names.entries()) {
        const help = choices[at]?.help.split("\n")[0];
        select.append(make("option", { value: name }, help ? `${name}: ${help}` : name));
      }
      const alias = choices.find((choice) => choice.aliases.includes(value));
      select.value = alias?.value ?? value;
      if (select.value !== (alias?.value ?? value)) {
        select.append(make("option", { value, selected: true }, value));
      }
      return make("div", { class: "control" }, select);
    }
    const input = make("input", {
      ...common, type: isSecret ? "password" : "text", list, placeholder: unset, autocapitalize: "none",
    });
    input.value = value;
    input.addEventListener("input", () => this.changed(TYPING));
    if (type === "STRING") return make("div", { class: "control" }, input);
    input.setAttribute("inputmode", type === "DURATION" ? "text" : "decimal");
    const zero = type === "DURATION" ? "0s" : "0";
    const step = (steps) => {
      const from = input.value || String(shown(first, type) ?? zero);
      input.value = stepped(from, type !== "DOUBLE", steps);
      this.changed(0);
    };
    input.addEventListener("keydown", (event) => {
      const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!direction || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      step(direction * (event.shiftKey ? 10 : 1));
    });
    // The arrow keys do the same, so the buttons are no further stops of the Tab key.
    const stepper = (text, steps, label) =>
      button(text, () => step(steps), { tabindex: -1, "aria-label": label });
    const [less, more] = [stepper("\u2212", -1, "Less"), stepper("+", 1, "More")];
    return make("div", { class: "control" }, less, input, more);
  }

  // Creates the fields for groups and windows. A recording of batches has its own.
  inputFields(values) {
    if (this.page.input.is_recording) {
      return { roots: [], values: () => ({ group_by: [], by_name: false, every: "" }) };
    }
    const check = (value, isChecked, text) => {
      const box = make("input", { type: "checkbox", value, onchange: () => this.changed(0) });
      box.checked = isChecked;
      return { box, label: make("label", { class: "check" }, box, text) };
    };
    const given = values.group_by.filter((tag) => tag !== "*");
    const tags = [...new Set([...this.page.input.tags, ...given])];
    const all = check("*", values.group_by.includes("*"), "all tags");
    const each = tags.map((tag) =>
      check(tag, values.group_by.includes(tag), make("span", { class: "name" }, tag)));
    const byName = check("", values.by_name, "the measurement");
    const boxes = [...(tags.length ? [all, ...each] : []), byName];
    const groups = make("fieldset", { class: "option" }, make("legend", {}, "Group by"),
      make("div", { class: "checks" }, ...boxes.map(({ label }) => label)));
    const roots = [groups];
    let every = null;
    if (this.page.udf.wants === "BATCH") {
      const id = this.id("every");
      const described = `${id}-hint ${id}-problem`;
      const hint = make("p", { class: "hint", id: `${id}-hint` },
        "The length of the windows that become batches, such as 60s. Without it, each group is one batch.");
      const control = this.control(id, "DURATION", {
        value: values.every, unset: "one batch", first: 60e9, choices: [], described,
      });
      const root = make("div", { class: "option" }, make("label", { for: id }, "Windows"), hint, control);
      const { place, show } = this.problemPlace(`${id}-problem`, root);
      root.append(place);
      roots.push(root);
      every = { input: control.querySelector("input"), show };
    }
    return {
      roots,
      every,
      values: () => ({
        group_by: (all.box.checked ? [all] : each).map(({ box }) => box)
          .filter(({ checked }) => checked).map(({ value }) => value),
        by_name: byName.box.checked,
        every: every?.input.value ?? "",
      }),
    };
  }
}

// Returns the help of an option, with its limits and relations.
function hintOf(option) {
  const names = (list) => list.map((name) => `.${name}`).join(", ");
  const values = option.default?.map((value, at) => shown(value, option.arguments[at]));
  const parts = [
    option.deprecated != null && `Deprecated: ${sentence(option.deprecated)}`,
    sentence(option.help.split("\n")[0]),
    option.range && `Must be ${option.range.replace(/[.]?$/, ".")}`,
    values?.length && `Defaults to ${values.map((value) => (value === "" ? "''" : value)).join(", ")}.`,
    option.default_expression && `Defaults to ${option.default_expression}.`,
    option.conflicts.length && `Not together with ${names(option.conflicts)}.`,
    option.requires.length && `Needs ${names(option.requires)} too.`,
    ...option.at_least_one_of.map((set) => `At least one of ${names(set)} must be set.`),
  ];
  return parts.filter(Boolean).join(" ");
}

// Returns a value of the description as it is typed.
function shown(value, type) {
  if (value == null) return value;
  if (type === "BOOL") return value ? "TRUE" : "FALSE";
  if (type !== "DURATION") return value;
  const units = [["h", 3600e9], ["m", 60e9], ["s", 1e9], ["ms", 1e6], ["u", 1e3], ["ns", 1]];
  const [unit, length] = units.find(([, length]) => value !== 0 && value % length === 0) ?? ["s", 1];
  return `${value / length}${unit}`;
}

const isFieldName = (option) => /\bfield\b/.test(option.range ?? "");

// Returns the list of names that an option suggests.
function listOf(option) {
  if (/\btag\b/.test(option.range ?? "")) return "tag-names";
  return isFieldName(option) || !option.range ? "field-names" : null;
}

// Returns the arguments of an option in a sample, with empty texts for those that are not known.
function sampleOf(option, input) {
  return option.arguments.map((type, at) => {
    const sample = option.example[at] ?? option.choices[0]?.value;
    if (isFieldName(option) && !input.fields.includes(sample)) return input.liveliest ?? "";
    return String(shown(sample, type) ?? "");
  });
}

// Returns the values at the start: those of the command line, and samples for required options.
function startValues({ udf, input, start }) {
  const options = [...start.options];
  for (const option of udf.options) {
    if (!option.required || options.some(({ name }) => name === option.name)) continue;
    const args = sampleOf(option, input);
    const calls = Math.min(option.min_calls || 1, 20);
    options.push(...Array.from({ length: calls }, () => ({ name: option.name, args })));
  }
  return { ...start, options, every: start.every ?? "" };
}

// A sample for each type whose options are not known better.
const PLAIN = { BOOL: "TRUE", INT: "10", DOUBLE: "1.0", DURATION: "10s" };

// Samples for options that the UDF has refused at the start: only an Init shows what a UDF of another
// program requires, or which of several options.
class Samples {
  constructor({ udf, input, start }) {
    this.options = udf.options.filter((option) =>
      option.arguments.length && !start.options.some(({ name }) => name === option.name));
    this.input = input;
    // Without a description, a text most likely is the name of a field.
    this.text = udf.complete ? "" : input.liveliest ?? "";
    this.tried = new Set();
    this.rounds = 5;
  }

  // Returns the values with the next samples for the options of these problems, or null without any.
  next(values, problems) {
    if (this.rounds-- === 0) return null;
    let options = values.options;
    for (const option of this.options) {
      const { name } = option;
      const problem = problems.find((problem) => problem.option === name);
      const calls = options.filter((call) => call.name === name);
      calls.forEach(({ args }) => this.tried.add(JSON.stringify([name, args])));
      const args = problem && this.candidates(option, problem.text)
        .find((args) => !this.tried.has(JSON.stringify([name, args])));
      if (!args) continue;
      const length = Math.max(calls.length, Math.min(option.min_calls || 1, 20));
      options = options.filter((call) => call.name !== name);
      options = [...options, ...Array.from({ length }, () => ({ name, args }))];
    }
    return options === values.options ? null : { ...values, options };
  }

  candidates(option, text) {
    const { name, arguments: types } = option;
    // A UDF of this kit proposes a call: write `.size(1)`.
    const [, call] = text.split(`write \`.${name}(`);
    const advised = call?.split(")`")[0].split(", ").map((arg) => arg.replace(/^'(.*)'$/, "$1"));
    const plain = types.map((type) => PLAIN[type] ?? this.text);
    // The proposal comes last: it often is a limit, or not the name of a field.
    return [sampleOf(option, this.input), plain, advised].filter((args) => args?.length === types.length && args.every((arg) => arg !== ""));
  }
}
