// Put at the head of a copy of a report by ci/report-check: gathers whatever goes wrong from then on.
const page_faults = [];
window.addEventListener("error", (event) => page_faults.push(`uncaught: ${event.message}`));
window.addEventListener("unhandledrejection", (event) => page_faults.push(`unhandled: ${event.reason}`));
document.addEventListener("securitypolicyviolation", (event) => page_faults.push(`asked for ${event.blockedURI}`));
console.error = console.warn = (...words) => page_faults.push(`console: ${words.join(" ")}`);
