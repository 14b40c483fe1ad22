
// The gains curve of a campaign: what calls should bring in all, by their number, best customers first.
const drawGains = (() => {
  const POINTS = 400, WIDTH = 720, HEIGHT = 300, LEFT = 84, BELOW = 40, ABOVE = 14;
  const node = (name, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };

  // `gains` falls; the first `chosen` are called.
  return (picture, gains, chosen, money) => {
    const sums = [0];
    for (const gain of gains) sums.push(sums.at(-1) + gain);
    const most = Math.max(sums.reduce((one, other) => Math.max(one, other)), 1);
    // A call to everybody may lose so much that what a plan gains is a dot: the floor is as deep as the peak is high.
    const least = Math.max(-most, Math.min(0, sums.at(-1)));
    const x = (calls) => LEFT + (WIDTH - LEFT - 10) * calls / Math.max(gains.length, 1);
    const y = (sum) => ABOVE + (HEIGHT - ABOVE - BELOW) * (most - sum) / (most - least);
    const places = new Set([chosen, gains.length]);
    for (let at = 0; at < POINTS; at += 1) places.add(Math.floor(at * gains.length / POINTS));
    const shown = [...places].filter((calls) => sums[calls] >= least).sort((one, other) => one - other);
    const points = shown.map((calls) => `${x(calls).toFixed(1)},${y(sums[calls]).toFixed(1)}`);
    const said = `${chosen.toLocaleString("en")} calls should bring ${money(sums[chosen])}; a call to everybody ${money(sums.at(-1))}`;
    picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    picture.setAttribute("aria-label", `Gains curve: ${said}.`);
    picture.replaceChildren(
      node("line", {class: "axis", x1: LEFT, x2: WIDTH - 10, y1: y(0), y2: y(0)}),
      node("line", {class: "plan", x1: x(chosen), x2: x(chosen), y1: ABOVE, y2: HEIGHT - BELOW}),
      node("polyline", {class: "gains", points: points.join(" ")}),
      node("circle", {class: "chosen", cx: x(chosen), cy: y(sums[chosen]), r: 5}),
      node("text", {x: LEFT - 8, y: y(most) + 5, "text-anchor": "end"}, money(most)),
      node("text", {x: LEFT - 8, y: y(0) + 5, "text-anchor": "end"}, "0"),
      node("text", {x: WIDTH - 10, y: HEIGHT - 14, "text-anchor": "end"}, `${gains.length.toLocaleString("en")} calls`),
      node("text", {x: x(chosen), y: HEIGHT - BELOW + 16, "text-anchor": "middle"}, chosen.toLocaleString("en")),
    );
  };
})();
