// "/" goes to the search field, arrows walk through the rows of a table. Everything works without it.

{
  const typing = (target) => target.closest("input, select, textarea") !== null;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) {
      return;
    }
    if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const links = [...document.querySelectorAll("tbody tr td:first-child a")];
      const place = links.indexOf(document.activeElement);
      const next = links[place === -1 ? 0 : place + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) {
        event.preventDefault();
        next.focus();
      }
    }
  });
}
