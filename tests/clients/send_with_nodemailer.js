// Sends one message with nodemailer. Standard input says how, as JSON (see mail_programs.py); what is said between client and server goes to standard output.
"use strict";

const fs = require("fs");
const nodemailer = require("nodemailer");

const wish = JSON.parse(fs.readFileSync(0, "utf8"));
const transport = nodemailer.createTransport({
    host: wish.host,
    port: wish.port,
    name: "client.example.net",
    secure: wish.implicit,
    requireTLS: !wish.implicit,
    tls: { ca: fs.readFileSync(wish.authority) },
    auth: !wish.mechanism ? undefined : wish.mechanism === "XOAUTH2" ? { type: "OAuth2", user: wish.user, accessToken: wish.password }
        : { user: wish.user, pass: wish.password },
    authMethod: wish.mechanism || undefined,
    logger: true,
    debug: true,
});
transport.sendMail({ envelope: { from: wish.sender, to: wish.recipients }, raw: fs.readFileSync(wish.file) }, (error, info) => {
    if (error) console.error(error);
    else console.log(info);
    process.exitCode = error || info.rejected.length > 0 ? 1 : 0;
});
