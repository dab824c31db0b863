// The page on the strength of captchas: a section for each captcha.
const region = (label, ...children) =>
  element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, ...children);
const quiet = text => element("p", { class: "quiet" }, text);
const tabled = ([heading, ...rows]) =>
  table(heading.map((name, place) => ({ name, cell: row => row[place] })), rows, { class: "told" });

const gallery = pictures => element("ul", { class: "pictures" }, ...pictures.map(([text, source]) => element("li", {},
  element("img", { src: source, alt: `captcha with the text ${text}` }), element("code", {}, text))));

function curvesOf(captcha) {
  const shown = captcha.curves.slice(0, COLOURS);
  const series = shown.flatMap(({ points, forecast }, place) => {
    const colour = `c${place}`;
    const lines = [{ part: points, dash: null }, { part: forecast, dash: "5 4" }].filter(({ part }) => part.length);
    return [
      ...lines.map(({ part }) => ({ points: [], band: part.map(([x, , low, high]) => [x, low, high]), colour })),
      ...lines.map(({ part, dash }) => ({ points: part.map(([x, y]) => [x, y]), line: true, colour, dash })),
      { points: points.map(([x, y]) => [x, y, `${shown[place].name}: ${told(y)} with ${counted(x)} images`]), colour },
    ];
  });
  return chart({ title: "Texts read, by labelled images; dashed: forecast", x: "labelled images", y: "test/exact", log: true,
    series, legend: shown.map(({ name }, place) => ({ colour: `c${place}`, text: name })) });
}

function withoutCurves(captcha) {
  const shown = captcha.without.filter(({ points }) => points.length).slice(0, COLOURS);
  const whole = { name: "the whole style", points: captcha.curves[0].points };
  const series = [whole, ...shown].map(({ points }, place) => ({ points: points.map(([x, y]) => [x, y]), line: true,
    colour: place ? `c${place - 1}` : "whole", dash: place ? dashOf(place - 1) : null }));
  const legend = [{ colour: "whole", text: whole.name }, ...shown.map(({ name }, place) =>
    ({ colour: `c${place}`, dash: dashOf(place), text: `without ${name}` }))];
  return chart({ title: `Texts read by ${captcha.curves[0].name}, with one ingredient left out`, x: "labelled images",
    y: "test/exact", log: true, series, legend });
}

function ingredientsOf(captcha) {
  if (!captcha.ingredients.length)
    return [quiet("All runs were trained on the whole style. To learn the effect of an ingredient, train without it (style.without), or run +experiment=strength.")];
  const looks = [{ name: "the whole style", pictures: captcha.pictures },
    ...captcha.without.map(({ name, pictures }) => ({ name: `without ${name}`, pictures }))];
  const pictures = element("ul", { class: "pictures" }, ...looks.flatMap(({ name, pictures }) =>
    pictures.slice(0, 1).map(([text, source]) => element("li", {},
      element("img", { src: source, alt: `captcha with the text ${text}, ${name}` }), name))));
  return [
    region(`What each ingredient adds, ${captcha.name}`, tabled(captcha.ingredients)),
    element("div", { class: "charts" }, withoutCurves(captcha)), pictures,
  ];
}

function symbolsOf(captcha) {
  if (!captcha.symbols.length) return quiet("No predictions are stored.");
  const amounts = captcha.amounts.map(amount => `${captcha.curves[0].name}, ${counted(amount)} images`);
  const others = captcha.curves.slice(1).map(({ name }) => `${name}, most images`);
  const line = one => element("tr", {}, element("th", { scope: "row" }, one.symbol),
    ...one.shares.map(share => {
      const cell = element("td", {}, known(share) ? share.toFixed(3) : "–");
      cell.style.setProperty("--share", known(share) ? 1 - share : 0);
      return cell;
    }),
    element("td", {}, one.interval.map(end => end.toFixed(3)).join(" to ")),
    element("td", {}, one.read_as), element("td", {}, one.is_hard ? "yes" : ""));
  const heads = ["symbol", ...amounts, ...others, "95 % interval", "read as", "hard"];
  return region(`How each symbol is read, ${captcha.name}`, element("table", { class: "confusion" },
    element("thead", {}, element("tr", {}, ...heads.map(name => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...captcha.symbols.map(line))));
}

function sectionOf(captcha, number) {
  const id = `captcha-${number + 1}`;
  return element("section", { id, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, captcha.name),
    gallery(captcha.pictures),
    element("p", { class: "verdict" }, captcha.verdict),
    element("h3", {}, "What it takes to read this captcha"),
    region(`What each recogniser needs, ${captcha.name}`, tabled(captcha.needs)),
    element("div", { class: "charts" }, curvesOf(captcha)),
    element("h3", {}, "What each ingredient adds"), ...ingredientsOf(captcha),
    element("h3", {}, "Which symbols are hard"),
    quiet("The share of each symbol that is read correctly, lowest first. A symbol is hard where the strongest recogniser, " +
      "with the most images, reads it significantly worse than the average symbol."),
    symbolsOf(captcha));
}

function overview() {
  const heading = ["captcha", ...data.captchas[0].needs[0]];
  return element("section", { "aria-labelledby": "overview-title" },
    element("h2", { id: "overview-title" }, "Side by side"),
    quiet("The strongest recogniser of each captcha."),
    region("Captchas side by side", tabled([heading, ...data.captchas.map(({ name, needs }) => [name, ...needs[1]])])));
}

const count = data.captchas.length;
at("summary").textContent = `${count === 1 ? "One captcha" : `${count} captchas`}, from ${data.folder}.`;
at("contents").append(...data.captchas.flatMap(({ name }, number) =>
  [element("a", { href: `#captcha-${number + 1}` }, name), " "]));
at("captchas").append(...(count > 1 ? [overview()] : []), ...data.captchas.map(sectionOf));
at("made").textContent = `Made by CapBench ${data.version}. This file needs no network.`;
