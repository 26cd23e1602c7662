// Forms whose inputs depend on one another: after each change the server says which there are now.
import { swap } from "./morph";

let asked = 0;

export function startForms(): void {
  document.addEventListener("change", (event) => {
    const form = (event.target as Element).closest<HTMLFormElement>("form[data-refresh]");
    if (form) void refresh(form);
  });
}

/** What was typed meanwhile stays, and a later change wins over an earlier one. */
async function refresh(form: HTMLFormElement): Promise<void> {
  const turn = ++asked;
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") body.append(name, value);
  const answer = await fetch(form.dataset["refresh"]!, { method: "POST", body, headers: { Accept: "text/html" } });
  if (!answer.ok || turn !== asked) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fields = page.getElementById("run-fields");
  if (fields && turn === asked) swap(fields.outerHTML);
}
