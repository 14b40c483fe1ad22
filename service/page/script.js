(() => {
  const MAX_REASONS = 8;
  const byId = (id) => document.getElementById(id);
  const form = byId("form");
  const fields = [...form.querySelectorAll("[data-kind]")];
  const percent = (p, digits = p < 0.1 || p > 0.9 ? 1 : 0) => new Intl.NumberFormat("en", {
    style: "percent", maximumFractionDigits: digits,
  }).format(p);
  const probabilityOf = (logit) => (logit >= 0 ? 1 / (1 + Math.exp(-logit)) : Math.exp(logit) / (1 + Math.exp(logit)));
  const signed = (number) => `${number > 0 ? "+" : "−"}${Math.abs(number).toFixed(2)}`;
  const control = (field) => field.querySelector("input, select");
  const spoken = (name) => name.replaceAll("_", " ");

  // Two shares of which one is said to be above the other, in as few digits as show it.
  function percentsApart(one, other) {
    let told = [percent(one), percent(other)];
    for (let digits = 1; told[0] === told[1] && one !== other && digits < 17; digits += 1) {
      told = [percent(one, digits), percent(other, digits)];
    }
    return told;
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    made.className = className;
    made.textContent = text;
    return made;
  }

  // What is wrong

  function showProblem(field, problem) {
    const error = field.querySelector(".error");
    error.textContent = error.hidden ? problem : `${error.textContent}; ${problem}`;
    error.hidden = false;
    (field.matches("fieldset") ? field : control(field)).setAttribute("aria-invalid", "true");
  }

  function forgetProblems() {
    byId("alert").hidden = true;
    for (const error of form.querySelectorAll(".error")) error.hidden = true;
    for (const invalid of form.querySelectorAll("[aria-invalid]")) invalid.removeAttribute("aria-invalid");
  }

  function showProblems(title, problems) {
    const elsewhere = [];
    for (const {field: name, problem} of problems) {
      const field = [...form.querySelectorAll("[data-name]")].find((one) => one.dataset.name === name && !one.hidden);
      if (field) showProblem(field, problem + writing(field));
      else elsewhere.push(`${name}: ${problem}`);
    }
    const alert = byId("alert");
    alert.textContent = [title, ...elsewhere].join("\n");
    alert.hidden = false;
    const first = form.querySelector("[aria-invalid=true]") ?? alert;
    (first.matches("fieldset") ? first.querySelector("input") : first).focus();
  }

  // How a number is written, for whoever writes 12,5 or 1 234.
  function writing(field) {
    const {decimal, kind} = field.dataset;
    if (!decimal || /^\s*[+-]?\d*(e[+-]?\d+)?\s*$/i.test(control(field).value.replace(decimal, ""))) return "";
    return kind === "integer" ? ", as 1234" : `, as 1234${decimal}5`;
  }

  // Asking

  // Numbers as they are typed: the service reads them as it reads those of a file.
  function readCustomer() {
    const customer = {};
    for (const field of fields) {
      const {kind, name} = field.dataset;
      const input = kind === "flag" ? field.querySelector("input:checked") : control(field);
      if (input && input.value !== "") customer[name] = kind === "flag" ? input.value === "true" : input.value;
    }
    return customer;
  }

  async function ask(customer, reasons) {
    const response = await fetch(`predict${reasons ? `?reasons=${reasons}` : ""}`, {
      method: "POST",
      headers: {...keyHeaders(), "Content-Type": "application/json"},
      body: JSON.stringify(customer),
      cache: "no-store",
    });
    const body = await response.json();
    // A model that cannot be taken apart still answers.
    const cannot = response.status === 422 && body.errors.every(({field}) => field === "reasons");
    if (reasons && cannot) return ask(customer, 0);
    return {response, body};
  }

  async function score() {
    forgetProblems();
    const button = byId("score");
    byId("answer").setAttribute("aria-busy", "true");
    button.setAttribute("aria-disabled", "true");
    try {
      const {response, body} = await ask(readCustomer(), Math.max(1, fields.length));
      if (response.ok) showAnswer(body);
      else if (response.status === 401 || response.status === 403) {
        showProblems(body.title, [{field: "key", problem: byId("key").value ? body.detail : "Enter a key."}]);
      }
      else showProblems(`${body.title}. ${body.detail}`, body.errors ?? []);
    } catch (error) {
      console.warn(error);
      if (error instanceof NoKey) showProblems("Nothing was sent.", [{field: "key", problem: error.message}]);
      else showProblems("The service cannot be reached, or gave no answer that can be read. Try again.", []);
    } finally {
      byId("answer").setAttribute("aria-busy", "false");
      button.removeAttribute("aria-disabled");
    }
  }

  // Answering

  function showAnswer(body) {
    const {churn_probability: probability, threshold, churn, model_version: version, reasons} = body;
    const verdict = churn ? "likely to leave" : "likely to stay";
    byId("waiting").hidden = true;
    byId("found").hidden = false;
    byId("found").dataset.churn = churn;
    const [told, limit] = percentsApart(probability, threshold);
    byId("probability").textContent = told;
    byId("decision").textContent = verdict;
    byId("decision").dataset.churn = churn;
    byId("level").style.width = `${100 * probability}%`;
    byId("mark").style.left = `${100 * threshold}%`;
    byId("against").textContent = `${churn ? "At or above" : "Below"} the threshold of ${limit}.`;
    showReasons(body);
    byId("record").textContent = `Logged as ${body.prediction_id}, answered by model version ${version}.`;
    const strongest = reasons && reasons.length && reasons[0].contribution ? ` First reason: ${reasons[0].text}.` : "";
    byId("status").textContent = `${told}: ${verdict}.${strongest}`;
    if (byId("model").querySelector("[data-version]")?.textContent !== version) refreshModel();
    if (matchMedia("(max-width: 60rem)").matches) byId("answer").scrollIntoView({block: "start"});
  }

  function showReasons(body) {
    const list = byId("reasons");
    list.replaceChildren();
    if (!body.reasons) {
      byId("why").textContent = "This model cannot give reasons.";
      return;
    }
    const told = body.reasons.filter(({contribution}) => Math.abs(contribution) >= 0.005);
    const shown = told.slice(0, MAX_REASONS);
    const rest = told.slice(MAX_REASONS).reduce((sum, {contribution}) => sum + contribution, 0);
    byId("why").textContent = told.length
      ? `A typical customer leaves with ${percent(probabilityOf(body.base_value))}. What moves this one, in log-odds: left lowers the risk, right raises it.`
      : `Nothing sets this customer apart from the typical one, who leaves with ${percent(probabilityOf(body.base_value))}.`;
    const longest = Math.max(...shown.map(({contribution}) => Math.abs(contribution)), Math.abs(rest));
    for (const {feature, contribution, text} of shown) list.append(reasonItem(spoken(feature), contribution, text, longest));
    if (told.length > shown.length) {
      list.append(reasonItem("everything else", rest, `${told.length - shown.length} weaker reasons together`, longest));
    }
  }

  function reasonItem(name, contribution, text, longest) {
    const item = element("li", `reason ${contribution > 0 ? "up" : "down"}`, "");
    const track = element("div", "track", "");
    const bar = element("div", "bar", "");
    track.setAttribute("aria-hidden", "true");
    bar.style.width = `${(50 * Math.abs(contribution)) / longest}%`;
    track.append(bar);
    const told = element("span", "text", "");
    // A reason begins with the name of its column.
    told.append(element("b", "", name), text.startsWith(name) ? text.slice(name.length) : `: ${text}`);
    item.append(told, element("span", "amount", signed(contribution)), track);
    return item;
  }

  // The model in service: the page itself is asked for again, with the key if there is one.

  async function refreshModel() {
    try {
      const response = await fetch("./", {headers: keyHeaders(), cache: "no-store"});
      if (!response.ok) return;
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      byId("model").replaceChildren(...fresh.getElementById("model").childNodes);
      byId("example").dataset.customer = fresh.getElementById("example").dataset.customer;
      for (const input of form.querySelectorAll("[data-decimal] input")) {
        input.placeholder = fresh.getElementById(input.id)?.placeholder ?? "";
      }
      offerExample();
    } catch (error) {
      console.warn(error); // the model shown is an older one; the answer names its own
    }
  }

  function offerExample() {
    byId("example").hidden = byId("example").dataset.customer === "{}";
  }

  // All but the key.
  function clear() {
    forgetProblems();
    for (const field of fields) {
      if (field.dataset.kind !== "flag") control(field).value = "";
      for (const radio of field.querySelectorAll("[type=radio]")) radio.checked = radio.value === "";
    }
    byId("found").hidden = true;
    byId("waiting").hidden = false;
    byId("status").textContent = "";
  }

  function fillWithExample() {
    clear();
    const customer = JSON.parse(byId("example").dataset.customer);
    for (const field of fields) {
      const {kind, name} = field.dataset;
      if (!(name in customer)) continue;
      if (kind === "flag") field.querySelector(`input[value="${customer[name]}"]`).checked = true;
      else control(field).value = String(customer[name]).replace(".", field.dataset.decimal ?? ".");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!byId("score").hasAttribute("aria-disabled")) score();
  });
  byId("clear").addEventListener("click", clear);
  byId("key").addEventListener("change", refreshModel);
  byId("example").addEventListener("click", fillWithExample);
  for (const button of form.querySelectorAll("button")) button.disabled = false;
  offerExample();
})();
