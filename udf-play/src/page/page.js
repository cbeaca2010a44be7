// The page: its forms, runs of the UDF, and the pictures and texts that the server returns.

const LETTERS = ["A", "B"];
const number = new Intl.NumberFormat("en");
const byId = (id) => document.getElementById(id);

class Page {
  constructor(content) {
    this.content = content;
    this.forms = [];
    this.shown = [];
    this.latest = 0;
    this.logLines = make("pre", { tabindex: 0, id: "log", "aria-label": "Log of the UDF" });
    this.logSummary = make("summary");
    this.log = make("details", { class: "text log", hidden: true }, this.logSummary, this.logLines);
    document.title = `${content.udf.name}: ${content.file}`;
    byId("name").textContent = content.udf.name;
    const help = content.udf.help.split("\n")[0];
    byId("help").append(...(help ? [sentence(help), " "] : []), "Plays ", make("code", {}, content.file), ".");
    const list = (id, names) => make("datalist", { id }, ...names.map((value) => make("option", { value })));
    document.body.append(list("field-names", content.input.fields));
    document.body.append(list("tag-names", content.input.tags));
    byId("compare").addEventListener("click", () => this.compare());
    new ResizeObserver(() => this.resized()).observe(byId("pictures"));
    const saved = this.saved();
    // Until the first change.
    this.samples = saved ? null : new Samples(content);
    for (const values of saved ?? [startValues(content)]) this.add(values);
    this.select(0);
    this.changed(0);
  }

  // Returns the values from before a reload.
  saved() {
    try {
      const saved = JSON.parse(sessionStorage.getItem(location.pathname));
      return Array.isArray(saved) && saved.length ? saved : null;
    } catch {
      return null;
    }
  }

  add(values) {
    const letter = LETTERS[this.forms.length];
    const form = new Form(this.content, letter, values, (wait) => {
      this.samples = null;
      this.changed(wait);
    });
    this.forms.push(form);
    this.shown.push(new Shown(letter, this.content.udf.name));
    this.arrange();
  }

  // Adds the second setting, with the values of the first one, or removes the one not selected.
  compare() {
    this.samples = null;
    if (this.forms.length === 1) {
      this.add(this.forms[0].values());
      this.select(1);
    } else {
      this.keep(this.forms[this.selected].values());
    }
    this.changed(0);
  }

  // Makes one setting of these values.
  keep(values) {
    this.forms = [];
    this.shown = [];
    this.add(values);
    this.select(0);
  }

  select(at) {
    this.selected = at;
    this.forms.forEach(({ root }, other) => { root.hidden = other !== at; });
    byId("tabs").replaceChildren(...this.forms.map((_, other) =>
      button(`Setting ${LETTERS[other]}`, () => {
        this.select(other);
        byId("tabs").children[other].focus();
      }, { "aria-pressed": String(other === at) })));
    byId("compare").textContent = this.forms.length === 1
      ? "Compare with a second setting" : `Keep only setting ${LETTERS[at]}`;
  }

  arrange() {
    const isPair = this.forms.length > 1;
    byId("tabs").hidden = !isPair;
    byId("forms").replaceChildren(...this.forms.map(({ root }) => root));
    byId("pictures").classList.toggle("pair", isPair);
    byId("pictures").replaceChildren(...this.shown.map(({ figure }) => figure));
    byId("texts").classList.toggle("pair", isPair);
    byId("texts").replaceChildren(...this.shown.map(({ texts }) => texts), this.log);
    for (const shown of this.shown) shown.setPair(isPair);
  }

  width() {
    return Math.max(280, Math.floor(byId("pictures").firstElementChild.clientWidth - 16));
  }

  resized() {
    if (this.drawnWidth && Math.abs(this.drawnWidth - this.width()) > 8) this.changed(200);
  }

  changed(wait) {
    this.since ??= performance.now();
    // For programs that drive the page.
    document.documentElement.dataset.state = "busy";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), wait);
  }

  async run() {
    const run = ++this.latest;
    const since = this.since;
    this.since = null;
    this.drawnWidth = this.width();
    const values = this.forms.map((form) => form.values());
    sessionStorage.setItem(location.pathname, JSON.stringify(values));
    const [one, other = null] = values;
    const body = JSON.stringify({ one, other, width: this.drawnWidth });
    const headers = { "content-type": "application/json" };
    let response;
    try {
      response = await fetch("run", { method: "POST", headers, body });
    } catch {
      if (run === this.latest) this.status("The program has ended. Start it again.");
      return;
    }
    if (run !== this.latest) return;
    if (response.status === 409) {
      // Another tab with this page has sent a request.
      this.changed(300);
      return;
    }
    if (!response.ok) {
      this.status(await response.text());
      return;
    }
    const answer = await response.json();
    if (run !== this.latest) return;
    const sampled = this.samples?.next(values[0], answer.results[0].problems);
    if (sampled) {
      this.keep(sampled);
      this.changed(0);
      return;
    }
    this.log.hidden = !answer.log.length;
    this.logSummary.textContent = `Last log lines of the UDF (${answer.log.length})`;
    this.logLines.textContent = answer.log.join("\n");
    const general = answer.results.map((result, at) => this.forms[at].problems(result));
    const shown = answer.results.map((result, at) => this.shown[at].show(result, general[at]));
    await Promise.all(shown);
    await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
    if (run !== this.latest) return;
    const isDrawn = answer.results.every((result) => result.svg != null);
    const took = Math.round(performance.now() - since);
    this.status(isDrawn ? `Drawn ${took} ms after the change.` : "Not drawn, because of errors.");
    if (this.since === null) document.documentElement.dataset.state = "idle";
  }

  status(text) {
    byId("status").textContent = text;
  }
}

// The picture and the texts of one setting.
class Shown {
  constructor(letter, udf) {
    this.letter = letter;
    this.udf = udf;
    this.title = make("strong");
    this.image = make("img", { alt: "" });
    this.caption = make("figcaption");
    const id = `${letter}-problem`;
    this.problem = make("p", { class: "problem", id, "aria-live": "polite" });
    this.figure = make("figure", { class: "empty" }, this.image, this.caption, this.problem);
    const text = (id, label) => make("pre", { tabindex: 0, id, "aria-label": label });
    this.tickscript = text(`${letter}-tickscript`, "TICKscript");
    this.command = text(`${letter}-command`, "Command line");
    this.heading = make("h2");
    this.save = make("a", { download: `${udf}.svg` }, "Save the picture");
    const head = (text, pre) =>
      make("div", { class: "head" }, make("h3", {}, text), copyButton(text, pre));
    this.texts = make("div", { class: "text" }, this.heading,
      head("TICKscript", this.tickscript), this.tickscript, head("Command line", this.command), this.command);
  }

  setPair(isPair) {
    this.title.textContent = isPair ? `Setting ${this.letter}. ` : "";
    this.heading.textContent = isPair ? `Setting ${this.letter}` : "";
    this.heading.hidden = !isPair;
  }

  async show(result, general) {
    this.problem.textContent = general.join("\n");
    const hasProblem = result.svg == null;
    this.figure.classList.toggle("stale", hasProblem);
    this.tickscript.textContent = result.tickscript ?? "Fix the errors first.";
    // A line breaks before an argument, not within.
    const words = result.command?.split(/(?<= )(?=-)/) ?? ["Fix the errors first."];
    this.command.replaceChildren(...words.map((word) => make("span", {}, word)));
    if (hasProblem) {
      this.caption.replaceChildren(this.title, this.image.src
        ? "The picture shows the last valid values." : "The picture appears here when the errors are fixed.");
      return;
    }
    this.caption.replaceChildren(this.title, this.save);
    if (result.notes.length) {
      this.caption.append(make("ul", {}, ...result.notes.map((note) => make("li", {}, sentence(note)))));
    }
    const counts = [result.points_in, result.points_out].map((count) => number.format(count));
    const alt = `Input and output of ${this.udf}: ${counts[0]} points in, ${counts[1]} points out.`;
    const url = URL.createObjectURL(new Blob([result.svg], { type: "image/svg+xml" }));
    const next = make("img", { src: url, alt });
    // The old picture stays until the new one can be drawn.
    await next.decode().catch(() => {});
    this.figure.classList.remove("empty");
    const old = this.image.src;
    this.image.replaceWith(next);
    this.image = next;
    this.save.href = url;
    if (old) URL.revokeObjectURL(old);
  }
}

function copyButton(name, pre) {
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      copy.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  }, { "aria-label": `Copy the ${name}` });
  return copy;
}

fetch("form")
  .then((response) => response.json())
  .then((content) => {
    new Page(content);
    const { problem } = content.input;
    if (problem) byId("help").after(make("p", { class: "problem" }, sentence(problem)));
  })
  .catch((error) => { byId("status").textContent = `The page cannot be loaded: ${error}`; });
