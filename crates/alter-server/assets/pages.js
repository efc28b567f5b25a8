// Tells the window that opened this one how it ended, and closes it. Without script, or without such a window, the page says what to do.

{
  const result = document.getElementById("result");
  if (result && window.opener) {
    // The origin was checked by the vault: one that the application's operator has allowed.
    window.opener.postMessage(JSON.parse(result.dataset.message), result.dataset.origin);
    window.close();
  }
}
