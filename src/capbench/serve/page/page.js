// The page of the service: sends images when they are added, and shows each answer beside its image.
const MOST_IMAGES = 16; // in one request
const ATTEMPTS = 6; // while the service is busy
const answers = []; // { name, file, item, readings, error } of each image, in the order on the page
const waiting = []; // entries of `answers` that are not sent yet
let token = sessionStorage.getItem("token");
let limits = { body: 16 * 2 ** 20, files: MOST_IMAGES };
let busy = false;

const say = text => { at("status").textContent = text; };
const percent = share => `${(share * 100).toFixed(share > 0.9995 || share < 0.0995 ? 2 : 1)} %`;
const counted = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
const pause = seconds => new Promise(resolve => setTimeout(resolve, seconds * 1000));

async function showService() {
  try {
    const health = await (await fetch("health")).json();
    if (!health.runs) throw new Error(health.error);
    limits = health.limits;
    at("runs").textContent = `Images are read by ${health.runs.map(run => `${run.name} (alphabet ${run.alphabet})`).join(" and ")}.`;
    at("token-form").hidden = !health.token || token !== null;
  } catch (error) {
    say(`The service does not answer as expected: ${error.message}`);
  }
}

function add(files) {
  for (const file of files) {
    const entry = { name: file.name, file, item: waitingItem(file) };
    at("answers").prepend(entry.item);
    answers.unshift(entry);
    if (file.size > limits.body * 0.95) show(entry, null, `has ${counted(file.size, "byte")}; a request may have ${counted(limits.body, "byte")}`);
    else waiting.push(entry);
  }
  at("clear").disabled = answers.length === 0;
  send();
}

function nextBatch() {
  let bytes = 0;
  const fits = entry => (bytes += entry.file.size + 500) < limits.body;
  let count = 0;
  while (count < Math.min(MOST_IMAGES, limits.files, waiting.length) && fits(waiting[count])) count += 1;
  return waiting.splice(0, count);
}

async function send() {
  if (busy) return;
  busy = true;
  while (waiting.length) {
    say(`${counted(waiting.length, "image")} to read …`);
    const batch = nextBatch();
    const refused = await read(batch);
    if (refused === "token") {
      waiting.unshift(...batch);
      askForToken();
      break;
    }
  }
  busy = false;
  if (!waiting.length) summarise();
}

async function read(batch) {
  const form = new FormData();
  for (const { file, name } of batch) form.append("file", file, name || "pasted");
  let reason = "the service is busy; try again later";
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    let response;
    try {
      response = await fetch("read", { method: "POST", body: form, headers: token === null ? {} : { Authorization: `Bearer ${token}` } });
      const told = await response.json();
      if (response.status === 401) return "token";
      if (told.images) {
        batch.forEach((entry, place) => show(entry, told.images[place].readings, told.images[place].error));
        return null;
      }
      reason = told.error;
    } catch (error) {
      reason = `the service does not answer (${error.message})`;
    }
    if (response?.status !== 503) break;
    await pause(Number(response.headers.get("Retry-After")) || 1);
  }
  batch.forEach(entry => show(entry, null, reason));
  return null;
}

function askForToken() {
  token = null;
  sessionStorage.removeItem("token");
  at("token-form").hidden = false;
  at("token").value = "";
  at("token").focus();
  say("The token is missing or wrong. Enter the token of the service.");
}

function waitingItem(file) {
  const picture = element("img", { src: URL.createObjectURL(file), alt: "" });
  picture.addEventListener("error", () => picture.remove());
  return element("li", { "aria-busy": "true" },
    element("div", { class: "picture" }, picture, element("h3", {}, file.name || "pasted")),
    element("p", { class: "quiet" }, "Waiting for the answer …"));
}

function show(entry, readings, error) {
  Object.assign(entry, { readings: readings ?? [], error });
  entry.item.removeAttribute("aria-busy");
  entry.item.lastChild.replaceWith(error
    ? element("p", { class: "is-wrong" }, `Not read: ${error}`)
    : element("div", { class: "readings" }, ...disagreement(readings), ...readings.map(reading => readingOf(entry.name, reading))));
  at("save").disabled = false;
}

function disagreement(readings) {
  const texts = new Set(readings.filter(reading => !reading.error).map(reading => reading.text));
  return texts.size > 1 ? [element("p", { class: "differ" }, "The runs read different texts.")] : [];
}

function readingOf(name, reading) {
  const head = element("h4", {}, reading.run);
  if (reading.error) return element("div", { class: "reading" }, head, element("p", { class: "is-wrong" }, `Not read: ${reading.error}`));
  const table = element("table", {},
    element("caption", {}, `${name}: characters read by ${reading.run}`),
    element("thead", {}, element("tr", {},
      element("th", { scope: "col", "aria-label": "Character" }), element("th", { scope: "col" }, "confidence"),
      element("th", { scope: "col" }, "runner-up"))),
    element("tbody", {}, ...reading.characters.map(one => element("tr", {},
      element("th", { scope: "row" }, one.symbol),
      element("td", {}, share(null, one.confidence)),
      element("td", { class: "runner-up" }, share(one.runner_up.symbol, one.runner_up.confidence))))));
  return element("div", { class: "reading" }, head,
    element("p", { class: "text" }, element("code", {}, reading.text || "no text"), element("span", {}, percent(reading.confidence))),
    table);
}

function share(symbol, confidence) {
  const bar = element("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", confidence);
  return element("div", { class: "share" },
    symbol === null ? null : element("code", {}, symbol), bar, element("span", { class: "number" }, percent(confidence)));
}

function summarise() {
  if (!answers.length) return say("");
  const failed = answers.filter(entry => !entry.readings?.some(reading => !reading.error)).length;
  const read = answers.length - failed;
  return say(`${counted(read, "image")} read${failed ? `; ${failed.toLocaleString("en")} could not be read, see below` : ""}.`);
}

function answersAsCsv() {
  const quoted = value => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const rows = answers.filter(entry => entry.readings).toReversed().flatMap(entry => entry.readings.length
    ? entry.readings.map(({ run, text, confidence, error }) => [entry.name, run, text, confidence, error])
    : [[entry.name, "", "", "", entry.error]]);
  return ["filename,run,text,confidence,error", ...rows.map(row => row.map(quoted).join(","))].join("\r\n") + "\r\n";
}

at("files").addEventListener("change", event => { add([...event.target.files]); event.target.value = ""; });
document.addEventListener("dragover", event => { event.preventDefault(); document.body.classList.add("dragged"); });
document.addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("dragged"); });
document.addEventListener("drop", event => {
  event.preventDefault();
  document.body.classList.remove("dragged");
  const { files } = event.dataTransfer;
  if (files.length) add([...files]);
  else say("No file was dropped. Save the image to a file first, or copy it and paste it here.");
});
document.addEventListener("paste", event => {
  if (event.target.matches("input[type=password]")) return;
  const text = event.clipboardData.getData("text").trim();
  const { files } = event.clipboardData;
  if (files.length) add([...files]);
  else if (text) add([new File([text], "pasted.txt", { type: "text/plain" })]);
  else say("The clipboard has neither an image nor text.");
});
at("token-form").addEventListener("submit", event => {
  event.preventDefault();
  token = at("token").value.trim();
  sessionStorage.setItem("token", token);
  at("token-form").hidden = true;
  say("");
  at("files").focus();
  send();
});
at("save").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([answersAsCsv()], { type: "text/csv" }));
  element("a", { href: address, download: "answers.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
});
at("clear").addEventListener("click", () => {
  for (const entry of answers) {
    const picture = entry.item.querySelector("img");
    if (picture) URL.revokeObjectURL(picture.src);
  }
  answers.length = waiting.length = 0;
  at("answers").replaceChildren();
  at("save").disabled = at("clear").disabled = true;
  say("All images are removed.");
  at("files").focus();
});
showService();
