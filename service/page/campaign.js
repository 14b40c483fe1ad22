
// A campaign: a file goes to the service piece by piece, and comes back as a ranked list.
(() => {
  const SHOWN = 100;
  const TRIES = 20, LOST_TRIES = 6;
  const NO_ANSWER = "The service cannot be reached, or gave no answer that can be read. Try again.";
  const byId = (id) => document.getElementById(id);
  const number = (value, digits = 0) => value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits});
  const wait = (seconds) => new Promise((done) => { setTimeout(done, 1000 * seconds); });
  const LEFT_OUT = {
    control_group: "left alone, as the control group", opted_out: "want no contacts", contacted_lately: "were contacted lately",
  };
  let list = "";
  let stopping = new AbortController();

  // The answer, or null if there is none that can be read: the connection was lost, or a proxy has answered.
  async function answerTo(piece) {
    const headers = {...keyHeaders(), "Content-Type": "text/csv"};
    try {
      const response = await fetch("campaign/candidates", {
        method: "POST", headers, body: piece.body, cache: "no-store", signal: stopping.signal,
      });
      return {response, body: await response.json()};
    } catch (problem) {
      if (stopping.signal.aborted) throw problem;
      return null;
    }
  }

  async function ask(piece) {
    for (let tried = 1; ; tried += 1) {
      const answer = await answerTo(piece);
      if (answer?.response.ok) return answer.body;
      // What was scored before is not lost with a connection.
      const lost = piece.first > 1 && tried < LOST_TRIES ? 2 ** (tried - 1) : null;
      const later = answer ? answer.response.headers.get("Retry-After") : lost;
      if (!later || tried === TRIES) throw new Error(answer ? problemOf(answer.body, piece) : NO_ANSWER);
      if (!answer) byId("campaign-status").textContent = "No answer; it is asked again …";
      await wait(Math.min(30, Number(later) || 1));
      stopping.signal.throwIfAborted();
    }
  }

  function problemOf({title, detail, errors}, {first}) {
    // (A line is one of the piece, whose first is the header.)
    const where = (field) => field.replace(/^rows\.(\d+)\.?/, (_, row) => `customer ${first + Number(row)} of the file: `)
      .replace(/^line (\d+)$/, (_, line) => `about customer ${first + Math.max(0, line - 2)} of the file:`);
    const told = (errors ?? []).slice(0, 5).map(({field, problem}) => `${where(field)} ${problem}`);
    return [`${title}. ${told.length ? "" : detail ?? ""}`, ...told].join("\n");
  }

  async function rank(file) {
    const found = {customers: 0, candidates: [], others: [], left: {}, header: "", version: null, currency: ""};
    const names = new Set();
    for await (const piece of piecesOf(file)) {
      const body = await ask(piece);
      if (found.version !== null && body.model_version !== found.version) {
        throw new Error("Another model took over meanwhile, which ranks otherwise. Start again.");
      }
      Object.assign(found, {header: body.header, version: body.model_version, currency: body.currency});
      found.customers += body.customers;
      for (const name of body.customer_ids) {
        if (names.has(name)) throw new Error(`Two customers have the id ${name}: whom would a call reach?`);
        names.add(name);
      }
      for (const one of body.candidates) found.candidates.push(one);
      for (const gain of body.others_gain) found.others.push(gain);
      for (const [why, count] of Object.entries(body.left_out)) found.left[why] = (found.left[why] ?? 0) + count;
      byId("progress").value = Math.min(1, piece.share);
      byId("campaign-status").textContent = `${number(found.customers)} customers scored`;
    }
    // Of equals, whoever came first.
    found.candidates.sort((one, other) => other.expected_gain - one.expected_gain);
    found.others.sort((one, other) => other - one);
    return found;
  }

  // How many of those who are ranked are called, within the calls or the money that there are.
  function callsOf(candidates, {top, budget}) {
    if (budget === null) return Math.min(candidates.length, top ?? Infinity);
    let spent = 0, calls = 0;
    // The slack is for sums of cents.
    while (calls < candidates.length && (spent += candidates[calls].expected_cost) <= budget + 1e-9) calls += 1;
    return calls;
  }

  function limitOf() {
    const [top, budget] = [["campaign-top", /^\d+$/, "12"], ["campaign-budget", /^(\d+\.?\d*|\.\d+)$/, "1234.50"]].map(([id, plain, so]) => {
      const text = byId(id).value.trim();
      if (text === "") return null;
      if (plain.test(text) && Number.isFinite(Number(text))) return Number(text);
      byId(id).focus();
      throw new Error(`${byId(id).labels[0].firstChild.textContent.trim()}: write a number as ${so}.`);
    });
    if (top === 0) throw new Error("Calls at most: at least 1.");
    if (top !== null && budget !== null) throw new Error("Calls at most, or a budget: give one of them.");
    return {top, budget};
  }

  function show(found, limit) {
    const called = found.candidates.slice(0, callsOf(found.candidates, limit));
    const total = (of) => called.reduce((sum, one) => sum + one[of], 0);
    const money = (value) => `${number(value)} ${found.currency}`;
    const left = Object.entries(found.left).filter(([, count]) => count).map(([why, count]) => `${number(count)} ${LEFT_OUT[why]}`);
    byId("campaign-sum").textContent = called.length
      ? `${number(called.length)} calls, chosen from ${number(found.customers)} customers: ${number(total("expected_saved"), 1)} `
        + `should stay who would have left; cost ${money(total("expected_cost"))}, gain ${money(total("expected_gain"))}.`
      : found.candidates.length
        ? `The budget pays for no call: the first is expected to cost ${number(found.candidates[0].expected_cost, 2)} ${found.currency}.`
        : `Nobody of ${number(found.customers)} customers is left who is worth a call.`;
    drawGains(byId("campaign-gains"), [...found.candidates.map((one) => one.expected_gain), ...found.others], called.length, money);
    byId("campaign-left").textContent = left.length ? `Worth a call, and not called: ${left.join("; ")}.` : "";
    const grouped = called.some((one) => one.segment !== undefined);
    byId("campaign-segment").hidden = !grouped;
    byId("campaign-rows").replaceChildren(...called.slice(0, SHOWN).map((one, at) => {
      const row = document.createElement("tr");
      const cells = [number(at + 1), one.customer_id, `${number(100 * one.churn_probability, 1)} %`, number(one.expected_gain, 2),
        ...(grouped ? [one.segment] : []), one.reasons.join("; ")];
      row.append(...cells.map((text) => Object.assign(document.createElement("td"), {textContent: text})));
      return row;
    }));
    byId("campaign-more").textContent = called.length > SHOWN ? `The first ${SHOWN}; the list has all ${number(called.length)}.` : "";
    list = found.header + called.map((one, at) => `${at + 1},${one.line}`).join("");
    byId("campaign-save").disabled = !called.length;
    byId("ranked").hidden = false;
    byId("campaign-status").textContent = `Done: ${number(called.length)} calls.`;
  }

  function askBeforeLeaving(event) {
    event.preventDefault();
  }

  async function plan() {
    const [file] = byId("campaign-file").files;
    const button = byId("campaign-plan");
    const error = byId("campaign-error");
    error.hidden = true;
    byId("ranked").hidden = true;
    if (!file) {
      error.textContent = "Choose a CSV file first.";
      error.hidden = false;
      byId("campaign-file").focus();
      return;
    }
    let limit;
    try {
      limit = limitOf();
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
      return;
    }
    button.setAttribute("aria-disabled", "true");
    stopping = new AbortController();
    addEventListener("beforeunload", askBeforeLeaving);
    byId("campaign-stop").hidden = false;
    byId("progress").value = 0;
    byId("progress").hidden = false;
    byId("campaign-status").textContent = "";
    try {
      show(await rank(file), limit);
    } catch (problem) {
      if (stopping.signal.aborted) {
        byId("campaign-status").textContent = "Stopped; nothing is ranked.";
        return;
      }
      error.textContent = problem.message;
      error.hidden = false;
      byId("campaign-status").textContent = "";
    } finally {
      removeEventListener("beforeunload", askBeforeLeaving);
      byId("progress").hidden = true;
      if (document.activeElement === byId("campaign-stop")) button.focus();
      byId("campaign-stop").hidden = true;
      button.removeAttribute("aria-disabled");
    }
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([list], {type: "text/csv"}));
    link.download = "campaign.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  // A file that is dropped beside its field would take the place of the page, and of all that was typed: it is the one that is meant.
  function takeDropped(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (event.type === "drop") byId("campaign-file").files = event.dataTransfer.files;
  }

  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, takeDropped);
  byId("campaign-plan").addEventListener("click", () => {
    if (!byId("campaign-plan").hasAttribute("aria-disabled")) plan();
  });
  byId("campaign-stop").addEventListener("click", () => stopping.abort());
  byId("campaign-save").addEventListener("click", save);
  byId("campaign-plan").disabled = false;
})();
