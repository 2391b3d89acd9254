// The least that an Express handler does for CometChat: check Basic Auth, parse, answer.
"use strict";

const { timingSafeEqual } = require("node:crypto");
const express = require("express");

const { WEBHOOK_USER, WEBHOOK_PASSWORD, PORT } = process.env;
const credentials = Buffer.from(`${WEBHOOK_USER}:${WEBHOOK_PASSWORD}`).toString("base64");
const expected = Buffer.from(`Basic ${credentials}`);

function authenticate(request, response, next) {
  const given = Buffer.from(request.get("authorization") ?? "");
  if (given.length === expected.length && timingSafeEqual(given, expected)) {
    next();
  } else {
    response.set("www-authenticate", "Basic").status(401).json({ message: "unauthorized" });
  }
}

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.post("/webhook", authenticate, express.json({ limit: "1mb" }), (request, response) => {
  if (request.body?.data?.to?.uid === undefined) {
    response.status(400).json({ message: "not a payload" });
  } else {
    response.json({ message: "accepted", id: request.body.data.to.uid });
  }
});
app.listen(Number(PORT), "127.0.0.1");
