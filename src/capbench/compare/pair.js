// Two runs side by side.
const PICTURED = 24; // captchas shown of each run

// One bit for each image of the run's test set: 1 if the run read it; null without stored predictions.
function bits(run) {
  const judged = data.judged[run];
  return judged && Uint8Array.from(atob(judged.right), letter => letter.charCodeAt(0));
}

// p-value of McNemar's exact test, two-sided; `first` and `second` count the images that only one of two runs reads.
function mcnemar(first, second) {
  const count = first + second;
  let way = -count * Math.LN2, tail = 0;
  for (let chosen = 0; chosen <= Math.min(first, second); chosen++) {
    tail += Math.exp(way);
    way += Math.log((count - chosen) / (chosen + 1));
  }
  return Math.min(1, 2 * tail);
}

function disputes(first, second) {
  const a = bits(first), b = bits(second);
  const { exam } = data.judged[first];
  const found = { images: data.exams[exam].images, a: 0, b: 0, pictures: { a: [], b: [] } };
  const reads = (right, place) => right[place >> 3] >> (place & 7) & 1;
  for (let place = 0; place < found.images; place++) {
    const [one, other] = [reads(a, place), reads(b, place)];
    if (one === other) continue;
    const who = one ? "a" : "b";
    found[who]++;
    if (data.exams[exam].pictures[place]) found.pictures[who].push(place);
  }
  return found;
}

function showPair(first, second) {
  const both = data.judged[first] && data.judged[second];
  const same = both && data.judged[first].exam === data.judged[second].exam;
  const found = same ? disputes(first, second) : null;
  at("pair-verdict").textContent = found ? verdictOf(found)
    : both ? "The two runs were tested on different images." : "One of the two runs has no stored predictions.";
  showDifferences(first, second);
  at("gallery").replaceChildren(...(found ? [galleryOf("A", found.a, found.pictures.a, second),
    galleryOf("B", found.b, found.pictures.b, first)].flat() : [element("p", { class: "quiet" }, "None to show.")]));
  at("confusion").replaceChildren(...[["A", first], ["B", second]].map(([name, run]) => confusionOf(name, run)));
  at("calibration").replaceChildren(calibrationOf(first, second));
  showRepeat(first, second);
}

function verdictOf({ images, a, b }) {
  const p = mcnemar(a, b);
  const better = p >= 0.05 ? "These two networks do not differ significantly" :
    `Of these two networks, ${a > b ? "A" : "B"} reads significantly better`;
  return `${better}: of ${counted(images)} images, A alone reads ${counted(a)} and B alone ${counted(b)} ` +
    `(McNemar's exact test, p = ${likely(p)}).`;
}

function showDifferences(first, second) {
  const different = Object.entries(data.settings)
    .map(([key, column]) => [key, cellOf(column, first), cellOf(column, second)]).filter(([, a, b]) => a !== b);
  at("differences").replaceChildren(different.length ? table([
    { name: "setting", cell: ([key]) => key }, { name: "A", cell: ([, a]) => a }, { name: "B", cell: ([, , b]) => b },
  ], different) : element("p", { class: "quiet" }, "None."));
}

function galleryOf(name, count, places, other) {
  const judged = data.judged[other];
  const { pictures } = data.exams[judged.exam];
  const note = `Captchas that only ${name} reads: ${counted(count)}` + (places.length < count ? `, ${places.length} of them with a picture` : "") +
    (places.length > PICTURED ? `; the first ${PICTURED} are shown.` : ".");
  const shown = places.slice(0, PICTURED).map(place => {
    const [text, source] = pictures[place];
    return element("li", {}, element("img", { src: source, alt: `captcha with the text ${text}` }),
      element("code", { class: "is-right" }, text), ` ${name === "A" ? "B" : "A"}: `,
      element("code", { class: "is-wrong" }, judged.answers[place] || "∅"));
  });
  return [element("p", {}, note), element("ul", { class: "pictures" }, ...shown)];
}

function confusionOf(name, run) {
  const judged = data.judged[run];
  const heading = element("figcaption", {}, `${name}: ${data.names[run]}`);
  if (!judged || !judged.mistakes.length)
    return element("figure", {}, heading, element("p", { class: "quiet" }, judged ? "No mistakes." : "No stored predictions."));
  const count = new Map(judged.mistakes.map(([truth, read, times]) => [truth + "\0" + read, times]));
  const order = index => [...new Set(judged.mistakes.map(mistake => mistake[index]))].sort();
  const totals = data.exams[judged.exam].symbols;
  const named = symbol => symbol || "∅";
  const lines = order(0).map(truth => element("tr", {}, element("th", { scope: "row" }, named(truth)),
    ...order(1).map(read => {
      const times = count.get(truth + "\0" + read) || 0;
      const cell = element("td", {}, times ? String(times) : "");
      cell.style.setProperty("--share", times ? Math.min(1, 0.15 + 5 * times / (totals[truth] || times)) : 0);
      return cell;
    })));
  const heads = element("tr", {}, element("th", { scope: "col" }, "true \\ read"),
    ...order(1).map(read => element("th", { scope: "col" }, named(read))));
  return element("figure", {}, heading, element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Confusion of symbols, ${name}` },
    element("table", { class: "confusion" }, element("thead", {}, heads), element("tbody", {}, ...lines))));
}

function calibrationOf(first, second) {
  const series = [["A", first, "c0"], ["B", second, "c1"]].filter(([, run]) => data.judged[run]).flatMap(([name, run, colour]) => {
    const points = data.judged[run].calibration.map(([count, confidence, share]) =>
      [confidence, share, `${name}: ${counted(count)} texts, confidence ${confidence.toFixed(2)}, correct ${share.toFixed(2)}`]);
    return [{ points, line: true, colour, dash: name === "B" ? DASHES[1] : null }, { points, colour }];
  });
  const ece = run => told(measure("test/ece", run));
  return chart({ title: "Calibration", x: "confidence", y: "share of correct texts", series, diagonal: true, legend: [
    { colour: "c0", text: `A, expected calibration error ${ece(first)}` }, { colour: "c1", dash: DASHES[1], text: `B, expected calibration error ${ece(second)}` }] });
}

function showRepeat(first, second) {
  const facts = Object.entries(data.facts);
  const code = text => element("code", {}, text);
  at("repeat").replaceChildren(table([
    { name: "property", cell: ([key]) => key },
    { name: "A", cell: ([, column]) => code(cellOf(column, first)) },
    { name: "B", cell: ([, column]) => code(cellOf(column, second)) },
  ], [["run", { values: data.names, of: runs }], ...facts]));
}
