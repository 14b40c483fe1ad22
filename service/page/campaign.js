
// A campaign: a file goes to the service piece by piece, and comes back as a ranked list.
(() => {
  const ROWS = 1000;
  const MAX_LINE = 2 ** 20;
  const SHOWN = 100;
  const TRIES = 20;
  // What programs tell Excel above the header, for which the service needs it as well.
  const NOTE = /^sep=[,;\t|]\s*$/i;
  const byId = (id) => document.getElementById(id);
  const number = (value, digits = 0) => value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits});
  const wait = (seconds) => new Promise((done) => { setTimeout(done, 1000 * seconds); });
  const LEFT_OUT = {
    control_group: "left alone, as the control group", opted_out: "want no contacts", contacted_lately: "were contacted lately",
  };
  let list = "";
  let stopping = new AbortController();

  // What a file says next, as text; what is wrong here is the file's fault, and not the network's.
  async function readOn(reader, decoder) {
    let read;
    try {
      read = await reader.read();
    } catch {
      throw new Error("The file cannot be read: it was changed, moved or deleted since, or is a folder. Choose it again.");
    }
    try {
      return {done: read.done, value: decoder.decode(read.value, {stream: !read.done})};
    } catch {
      throw new Error("The file is not UTF-8 text: save it as “CSV UTF-8”.");
    }
  }

  // Rows of a CSV file, with the header apart; a line break within quotes ends no row. A row ends as \n, \r\n, or \r alone.
  async function* piecesOf(file) {
    const reader = file.stream().getReader(), decoder = new TextDecoder("utf-8", {fatal: true});
    let text = "", scanned = 0, quoted = false, header = null, rows = [], first = 1, read = 0;
    for (let ended = false; !ended;) {
      const {done, value} = await readOn(reader, decoder);
      ended = done;
      text += done ? `${value}\n` : value;
      let begin = 0;
      for (let at = scanned; at < text.length; at += 1) {
        const code = text.charCodeAt(at);
        if (code === 34) quoted = !quoted;
        else if ((code === 10 || (code === 13 && at + 1 < text.length && text.charCodeAt(at + 1) !== 10))
          && (!quoted || (ended && at === text.length - 1))) {
          const row = text.slice(begin, at + 1);
          read += row.length;
          begin = at + 1;
          if (!row.trim()) continue;
          if (header === null) header = row;
          else if (NOTE.test(header)) header += row;
          else rows.push(row);
          if (rows.length === ROWS) {
            yield {body: header + rows.join(""), first, share: read / file.size};
            first += rows.length;
            rows = [];
          }
        }
      }
      text = text.slice(begin);
      // Of a \r at the end it is not known yet whether a \n follows.
      scanned = text.length - text.endsWith("\r");
      if (text.length > MAX_LINE) throw new Error("The file has a line of more than a megabyte: is it CSV?");
    }
    if (rows.length) yield {body: header + rows.join(""), first, share: 1};
    else if (first === 1) throw new Error("The file has no customers: a header and a line each are needed.");
  }

  async function ask(piece) {
    for (let tried = 1; ; tried += 1) {
      const key = byId("key").value;
      const response = await fetch("campaign/candidates", {
        method: "POST",
        headers: {...(key ? {"X-API-Key": key} : {}), "Content-Type": "text/csv"},
        body: piece.body,
        cache: "no-store",
        signal: stopping.signal,
      });
      const body = await response.json();
      if (response.ok) return body;
      const later = response.headers.get("Retry-After");
      if (!later || tried === TRIES) throw new Error(problemOf(body, piece));
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
      for (const one of body.candidates) {
        if (names.has(one.customer_id)) throw new Error(`Two customers have the id ${one.customer_id}: whom would a call reach?`);
        names.add(one.customer_id);
        found.candidates.push(one);
      }
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
    const [top, budget] = ["campaign-top", "campaign-budget"].map((id) => {
      const field = byId(id);
      if (!field.validity.valid) throw new Error(`${field.labels[0].firstChild.textContent.trim()}: ${field.validationMessage}`);
      return field.value === "" ? null : Number(field.value);
    });
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
      error.textContent = problem instanceof TypeError
        ? "The service cannot be reached."
        : problem.message;
      error.hidden = false;
      byId("campaign-status").textContent = "";
    } finally {
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

  byId("campaign-plan").addEventListener("click", () => {
    if (!byId("campaign-plan").hasAttribute("aria-disabled")) plan();
  });
  byId("campaign-stop").addEventListener("click", () => stopping.abort());
  byId("campaign-save").addEventListener("click", save);
  byId("campaign-plan").disabled = false;
})();
