/** The one script of the page: it filters a table. Without it the table is there as a whole, and the form is not. */
export const SCRIPT = `
for (const form of document.querySelectorAll('form.filter')) {
  const rows = [...document.getElementById(form.dataset.table).tBodies[0].rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const [text, severity, code] = ['text', 'severity', 'code'].map((name) => form.elements[name]);
  const shown = form.querySelector('output');
  const filter = () => {
    const words = text.value.toLowerCase().split(' ').filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      const fits = (severity.value === '' || row.dataset.severity === severity.value) &&
        (code.value === '' || row.dataset.code === code.value) &&
        words.every((word) => texts[at].includes(word));
      row.hidden = !fits;
      if (fits) count += 1;
    });
    shown.value = count + ' of ' + rows.length + ' shown';
  };
  form.addEventListener('input', filter);
  form.addEventListener('reset', () => setTimeout(filter));
  form.addEventListener('submit', (event) => event.preventDefault());
  form.hidden = false;
  filter();
}
`;
