// Starts ReDoc; a file of its own, because the page allows no inline script.
/* global Redoc */
Redoc.init('/openapi.json', { disableSearch: true, hideLogo: true }, document.getElementById('redoc'));
