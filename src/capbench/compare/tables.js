// Tables, and tables that are sorted by a click on a heading.
function table(columns, rows, attributes = {}) {
  const head = element("tr", {}, ...columns.map(column =>
    element("th", { scope: "col", class: column.number ? "number" : null }, column.name)));
  return element("table", attributes, element("thead", {}, head),
    element("tbody", {}, ...rows.map(row => lineOf(columns, row))));
}

function lineOf(columns, row) {
  return element("tr", {}, ...columns.map((column, place) => {
    const heads = column.heads || (place === 0 && column.heads !== false);
    return element(heads ? "th" : "td", { class: column.number ? "number" : null, scope: heads ? "row" : null },
      ...[column.cell(row)].flat());
  }));
}

function compared(a, b) {
  if (!known(a) || a === "" || !known(b) || b === "") return (!known(a) || a === "") - (!known(b) || b === "");
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}

class Sortable {
  // columns: { name, number, value(row), cell(row) }; a column without `value` cannot be sorted by.
  constructor(place, columns, most, changed) {
    Object.assign(this, { columns, most, changed, rows: [], sorted: null, falls: false });
    this.heads = columns.map(column => element("th",
      { scope: "col", class: column.number ? "number" : null, "aria-sort": column.value ? "none" : null },
      column.value ? element("button", { type: "button", onclick: () => this.sort(column) }, column.name) : column.name));
    this.body = element("tbody");
    place.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...this.heads)), this.body));
  }

  sort(column) {
    this.falls = this.sorted === column ? !this.falls : Boolean(column.number && !column.rises);
    this.sorted = column;
    this.heads.forEach((head, place) => this.columns[place].value && head.setAttribute("aria-sort",
      this.columns[place] === column ? (this.falls ? "descending" : "ascending") : "none"));
    this.show(this.rows);
  }

  show(rows) {
    this.rows = rows;
    const { value } = this.sorted || {};
    if (value) {
      const sign = this.falls ? -1 : 1;
      const empty = row => !known(value(row)) || value(row) === "";
      this.rows = [...rows].sort((a, b) => empty(a) || empty(b) ? empty(a) - empty(b) : sign * compared(value(a), value(b)));
    }
    this.body.replaceChildren(...this.rows.slice(0, this.most).map(row => lineOf(this.columns, row)));
    this.changed(this.rows);
  }
}
