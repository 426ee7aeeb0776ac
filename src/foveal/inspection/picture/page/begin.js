"use strict";
for (const root of document.querySelectorAll("[data-picture]")) picture.start(root);
