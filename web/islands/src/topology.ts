// On pages with a topology: draws the list of tasks as a graph, and again when the list changes.
import { startTopology } from "./parts/topology";

startTopology();
