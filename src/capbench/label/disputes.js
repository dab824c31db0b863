// The page of disputed images: a click takes a text, Enter moves to the next image, and a button saves what was typed as a CSV file.
const inputs = [...document.querySelectorAll("td input")];

inputs.forEach((input, place) => input.addEventListener("keydown", event => {
  if (event.key === "Enter" && inputs[place + 1]) inputs[place + 1].focus();
}));

document.querySelectorAll("button.choice").forEach(button => button.addEventListener("click", () => {
  const input = button.closest("tr").querySelector("input");
  input.value = button.textContent === "∅" ? "-" : button.textContent;
  (inputs[inputs.indexOf(input) + 1] ?? input).focus();
}));

at("save").addEventListener("click", () => {
  const quoted = text => `"${text.replaceAll('"', '""')}"`;
  const rows = inputs.map(input => [input.name, input.value.trim(), input.dataset.image])
    .filter(([, text]) => text)
    .map(([name, text, image]) => [name, text === "-" ? "" : text, image].map(quoted).join(","));
  const address = URL.createObjectURL(new Blob([["filename,label,image", ...rows, ""].join("\n")], { type: "text/csv" }));
  element("a", { href: address, download: "corrections.csv" }).click();
});
