// Menus, dialogs, copying, toasts: what pages can do without, and is nicer with script.

export function startDialogs(): void {
  document.addEventListener("click", clicked);
  for (const each of document.querySelectorAll<HTMLElement>("#toasts > *")) leaveLater(each);
}

/** Close what is open: a dialog, then menus. Returns whether something was. */
export function closeSomething(): boolean {
  const dialog = document.querySelector<HTMLDialogElement>("dialog[open]");
  if (dialog) {
    dialog.close();
    return true;
  }
  return closeMenus(null);
}

export function toast(text: string, isError = false, isBad = isError): void {
  const box = document.createElement("div");
  box.className = `toast ${isBad ? "bad" : "good"}`;
  box.setAttribute("role", isError ? "alert" : "status");
  const words = document.createElement("span");
  words.textContent = text;
  box.append(words);
  document.getElementById("toasts")?.append(box);
  if (!isError) leaveLater(box);
}

export function copy(text: string, what: string): void {
  navigator.clipboard?.writeText(text).then(
    () => toast(`${what} copied`),
    () => toast(`${what} could not be copied`, true),
  );
}

function leaveLater(box: HTMLElement): void {
  const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : box.remove());
  setTimeout(leave, 6000);
}

function closeMenus(except: Element | null): boolean {
  let any = false;
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    if (menu === except || menu.contains(except)) continue;
    menu.open = false;
    any = true;
  }
  return any;
}

function clicked(event: MouseEvent): void {
  const at = event.target instanceof Element ? event.target : null;
  closeMenus(at?.closest("details.menu") ?? null);
  const copied = at?.closest<HTMLElement>("[data-copy]");
  if (copied) copy(copied.dataset["copy"] ?? "", "Text");
  const close = at?.closest("dialog [data-close]");
  if (close) {
    event.preventDefault();
    close.closest("dialog")?.close();
  }
  const link = at?.closest<HTMLAnchorElement>("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    void ask(link);
  }
}

/** Show the question of another page in a dialog; without an answer go there. */
async function ask(link: HTMLAnchorElement): Promise<void> {
  try {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const question = page.getElementById("confirm");
    if (!answer.ok || !question) throw new Error(String(answer.status));
    show(question, link);
  } catch {
    location.assign(link.href);
  }
}

function show(question: HTMLElement, opener: HTMLElement): void {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("role", question.querySelector("form") ? "alertdialog" : "dialog");
  const title = question.querySelector("h1");
  if (title) {
    title.id = "dialog-title";
    dialog.setAttribute("aria-labelledby", title.id);
  }
  question.classList.remove("panel");
  dialog.append(question);
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    opener.focus();
  });
  const switcher = dialog.querySelector<HTMLButtonElement>("[data-keys-switch]");
  if (switcher) keysSwitch(switcher);
  dialog.showModal();
  (dialog.querySelector<HTMLElement>("[autofocus], .in") ?? dialog.querySelector<HTMLElement>("[data-close]"))?.focus();
}

function keysSwitch(button: HTMLButtonElement): void {
  const off = document.body.dataset["keys"] === "off";
  button.hidden = false;
  button.textContent = off ? "Switch single letters on" : "Switch single letters off";
  button.addEventListener("click", () => {
    document.cookie = `keys=${off ? "on" : "off"}; path=/; max-age=31536000; samesite=lax`;
    location.reload();
  });
}
