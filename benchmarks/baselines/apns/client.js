'use strict';
// Node's own HTTP/2 client, on which node-apn stands: `node client.js URL COUNT` pushes the same
// message so many times, 64 at a time over one connection, and prints what that cost.
const http2 = require('node:http2');

const AT_ONCE = 64;
const [url, count] = [process.argv[2], Number(process.argv[3])];
const alert = { title: 'Andrew Joseph', body: 'Message 0000000001' };
const data = { type: 'chat', conversationId: 'c'.repeat(40), filler: 'x'.repeat(700) };
const session = http2.connect(url);
let next = 0;
let sent = 0;

function push(number, done) {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/3/device/${number.toString(16).padStart(64, '0')}`,
    authorization: `bearer ${'a'.repeat(180)}`,
    'apns-id': `6fa459ea-ee8a-3ca4-894e-${String(number).padStart(12, '0')}`,
    'apns-topic': 'com.example.chat',
    'apns-push-type': 'alert',
    'apns-priority': '10',
    'apns-expiration': '1700003600',
    'apns-collapse-id': 'message:1',
  });
  let status = 0;
  let answer = '';
  stream.setEncoding('utf8');
  stream.on('response', (headers) => { status = headers[':status']; });
  stream.on('data', (piece) => { answer += piece; });
  stream.on('end', () => { if (status === 200) sent += 1; done(answer); });
  stream.end(JSON.stringify({ aps: { alert, sound: 'default' }, data }));
}

session.on('connect', () => push(0, () => {
  sent = 0;
  const cpu = process.cpuUsage();
  const began = process.hrtime.bigint();
  let running = AT_ONCE;
  const client = () => {
    if (next < count) {
      next += 1;
      push(next, client);
    } else if (--running === 0) {
      const used = process.cpuUsage(cpu);
      console.log(JSON.stringify({
        sent,
        seconds: Number(process.hrtime.bigint() - began) / 1e9,
        cpu: (used.user + used.system) / 1e6,
        resident: process.memoryUsage.rss(),
      }));
      session.close();
    }
  };
  for (let number = 0; number < AT_ONCE; number += 1) client();
}));
