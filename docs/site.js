// Give each cell of a table the name of its column, which the style sheet shows on a phone.
for (const table of document.querySelectorAll("article table")) {
  const columns = [...table.querySelectorAll("thead th")].map((head) => head.textContent);
  for (const row of table.querySelectorAll("tbody tr"))
    [...row.cells].forEach((cell, number) => columns[number] && (cell.dataset.column = columns[number]));
}
