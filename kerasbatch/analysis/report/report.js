"use strict";

// Tables: a click on a head sorts by its column, another one the other way; empty cells stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.firstElementChild.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(table.tBodies[0], column, down ? -1 : 1);
    });
  });
}

function sort(body, column, sign) {
  const value = (row) => row.cells[column].dataset.value;
  const isNumber = (row) => row.cells[column].classList.contains("number");
  const order = (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    if (isNumber(one) && isNumber(other)) return sign * (Number(a) - Number(b));
    return sign * a.localeCompare(b, "en", { numeric: true });
  };
  body.append(...[...body.rows].sort(order));
}

// On paper nothing can be opened.
const closed = () => document.querySelectorAll("details:not([open])");
addEventListener("beforeprint", () => closed().forEach((each) => { each.open = each.dataset.printed = true; }));
addEventListener("afterprint", () => {
  document.querySelectorAll("details[data-printed]").forEach((each) => { each.open = false; delete each.dataset.printed; });
});

// Pictures with several views: one is shown.
for (const choice of document.querySelectorAll(".views input")) {
  choice.addEventListener("change", () => {
    const views = choice.closest("figure").querySelectorAll(".panels");
    views.forEach((view, number) => { view.hidden = number !== Number(choice.value); });
  });
}

// Panels: the point nearest to the pointer says its values; arrow keys go from point to point.
for (const panel of document.querySelectorAll(".panel")) {
  const svg = panel.querySelector("svg");
  const data = JSON.parse(panel.querySelector("script").textContent);
  const lines = data.lines.filter((line) => line.points.length);
  const points = lines.flatMap((line, number) =>
    line.points.map(([left, top, x, y]) => ({ left, top, x, y, number, label: line.label })));
  if (!points.length) continue;
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const reading = document.createElement("div");
  reading.className = "reading";
  reading.setAttribute("role", "status");
  panel.append(reading);
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  mark.setAttribute("class", "mark");
  mark.setAttribute("r", "5");
  let current = null;

  const show = (point) => {
    current = point;
    mark.setAttribute("cx", point.left);
    mark.setAttribute("cy", point.top);
    svg.append(mark);
    reading.replaceChildren(part("b", point.label), part("span", `${data.x}: ${formatNumber(point.x)}`),
      part("span", `${data.y}: ${formatNumber(point.y)}`));
    const right = point.left > width / 2;
    const below = point.top < height / 2;
    reading.style.left = right ? "auto" : `${100 * (point.left + 8) / width}%`;
    reading.style.right = right ? `${100 * (width - point.left + 8) / width}%` : "auto";
    reading.style.top = below ? `${100 * (point.top + 8) / height}%` : "auto";
    reading.style.bottom = below ? "auto" : `${100 * (height - point.top + 8) / height}%`;
  };
  const hide = () => {
    current = null;
    mark.remove();
    reading.replaceChildren();
  };
  const nearest = (event) => {
    const box = svg.getBoundingClientRect();
    const left = (event.clientX - box.left) * width / box.width;
    const top = (event.clientY - box.top) * height / box.height;
    const away = (point) => (point.left - left) ** 2 + (point.top - top) ** 2;
    show(points.reduce((best, point) => (away(point) < away(best) ? point : best)));
  };
  panel.addEventListener("pointermove", nearest);
  panel.addEventListener("pointerdown", nearest);
  panel.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") hide();  // a finger that is lifted has left, too
  });
  panel.addEventListener("blur", hide);
  panel.addEventListener("keydown", (event) => {
    const next = moved(points, current, event.key);
    if (next) {
      event.preventDefault();
      show(next);
    } else if (event.key === "Escape") hide();
  });
}

function moved(points, current, key) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!(key in steps)) return null;
  if (!current) return points[0];
  const [along, across] = steps[key];
  if (along) return points[Math.min(points.length - 1, Math.max(0, points.indexOf(current) + along))];
  const line = points.filter((point) => point.number === current.number + across);
  const away = (point) => Math.abs(point.left - current.left);
  return line.length ? line.reduce((best, point) => (away(point) < away(best) ? point : best)) : current;
}

function part(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function formatNumber(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: Number.isInteger(value) ? 21 : 4 });
}
