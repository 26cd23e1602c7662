// On pages with a run form.
import { startForms } from "./parts/forms";

startForms();
