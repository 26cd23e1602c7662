// Changes an element into another one in place: focus, selection, scroll and what is open survive.

/** Make *old* look like *fresh*. An open `<details>` stays open, a field keeps what was typed. */
export function morph(old: Element, fresh: Element): void {
  if (old.tagName !== fresh.tagName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.isEqualNode(fresh)) return;
  attributes(old, fresh);
  if (old instanceof HTMLInputElement || old instanceof HTMLTextAreaElement) return;
  children(old, fresh);
}

/** Put parts of HTML in the places of the elements with the same ids. Returns those that changed. */
export function swap(html: string): Element[] {
  const template = document.createElement("template");
  template.innerHTML = html;
  const changed: Element[] = [];
  for (const fresh of [...template.content.children]) {
    const old = fresh.id ? document.getElementById(fresh.id) : null;
    if (!old) continue;
    const before = stateOf(old);
    morph(old, fresh);
    if (old.tagName === "TR" && before === stateOf(old)) old.classList.remove("arrived");
    changed.push(document.getElementById(fresh.id) ?? old);
  }
  return changed;
}

function stateOf(row: Element): string {
  return row.querySelector(".state")?.className ?? "";
}

function attributes(old: Element, fresh: Element): void {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function children(old: Element, fresh: Element): void {
  const wanted = [...fresh.childNodes];
  wanted.forEach((next, index) => {
    const at = matching(old, index, next);
    if (!at) old.insertBefore(next, old.childNodes[index] ?? null);
    else if (at instanceof Element && next instanceof Element) morph(at, next);
    else if (at.nodeType === next.nodeType && !(at instanceof Element)) {
      if (at.nodeValue !== next.nodeValue) at.nodeValue = next.nodeValue;
    } else at.replaceWith(next);
  });
  while (old.childNodes.length > wanted.length) old.lastChild?.remove();
}

/** The child that is to become *next*: the one with its id, brought to its place, or the one there. */
function matching(old: Element, index: number, next: ChildNode): ChildNode | null {
  const here = old.childNodes[index] ?? null;
  if (!(next instanceof Element) || !next.id) return here;
  const named = [...old.children].find((child) => child.id === next.id);
  if (named && named !== here) old.insertBefore(named, here);
  if (named) return named;
  return here instanceof Element && here.id ? null : here;
}
