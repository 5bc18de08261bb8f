// A stand-in's page: one account's trades and positions, read over the routes of the real page.
const root = document.querySelector("app-root");
const base = `//${location.host}`;

async function read(path) {
  const answer = await fetch(base + path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function table(title, rows, columns) {
  const element = document.createElement("table");
  element.createCaption().textContent = title;
  const head = element.createTHead().insertRow();
  for (const name of columns) head.insertCell().textContent = name;
  const body = element.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const name of columns) line.insertCell().textContent = row[name] ?? "";
  }
  return element;
}

async function show(account, place) {
  const [trades, positions] = await Promise.all([
    read(`/position-service/trades/${account}`),
    read(`/position-service/positions/${account}`),
  ]);
  place.replaceChildren(
    table("Trades", trades, ["id", "security", "side", "quantity", "state"]),
    table("Positions", positions, ["security", "quantity"]),
  );
}

try {
  const accounts = await read("/account-service/account/");
  const choice = document.createElement("select");
  const place = document.createElement("div");
  for (const { id, displayName } of accounts) choice.add(new Option(displayName, id));
  choice.onchange = () => show(choice.value, place);
  root.replaceChildren(choice, place);
  choice.value = accounts[5]?.id ?? accounts[0]?.id;
  await choice.onchange();
} catch (error) {
  root.textContent = `TraderX cannot be read: ${error.message}`;
}
