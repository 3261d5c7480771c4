/*
 * The load generator of `bun run bench`: MQTT 3.1.1 / 5.0 traffic and a meter for the broker that carries it.
 * One file; tests/bench/generator.ts compiles it with `cc -O2`, and where OpenSSL's headers are with -DWITH_TLS -lssl -lcrypto.
 *
 *   taskset -c 1 ./load MODE [options]            (see --help; the broker is pinned to core 0)
 *
 * A single-threaded epoll loop that plays both the publishers and the subscribers, so it knows what
 * has to arrive: every payload carries {u64 send time ns, u32 publisher, u32 sequence, fill pattern},
 * and every subscriber checks topic, length, fill, and the sequence of every publisher it hears.
 * Writes are batched (one write() per publisher refill), reads are batched (256 KiB per read()),
 * acks are coalesced per read chunk.
 *
 * Throughput modes are closed loop: a publisher may have at most --window messages that have not
 * yet reached all their subscribers (--window 0: open loop, TCP back-pressure only). So a broker is
 * driven flat out without being forced to drop, and "lost" means lost.
 *
 * Headline: msgs_per_broker_cpu_s = messages delivered in the measured interval / CPU seconds the
 * broker (--pid, all threads, ns resolution through clock_getcpuclockid) used in that interval.
 * It barely moves with what else runs on the machine; msgs/s does. noise_cpu_s and steal_s say how
 * much CPU others took meanwhile. One JSON line goes to stdout.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define RBUF (256 * 1024)
#define HDRPAY 16 /* ts + pub + seq */
/* --json: the same as hexadecimal digits within a text */
#define JSON_HEAD "{\"t\":25,\"h\":\""
#define JSON_MID "\",\"x\":\""
#define JSON_TAIL "\"}"
#define JSON_MIN (sizeof JSON_HEAD - 1 + 2 * HDRPAY + sizeof JSON_MID - 1 + sizeof JSON_TAIL - 1)

enum mode { FANOUT, FANIN, PAIRS, LATENCY, CONNECT, IDLE, SESSIONS, RETAINED, NMODES };
enum { R_SUB, R_PUB, R_CHURN };
enum { S_FREE, S_CONNECTING, S_TLS, S_WAIT_UPGRADE, S_WAIT_CONNACK, S_WAIT_SUBACK, S_READY, S_WAIT_EOF, S_DEAD };

struct conn {
  int fd, idx;     /* idx: subscriber number or publisher number */
  u8 role, state, want_out, dirty;
  u8 *tx;          /* pending output */
  u32 txoff, txlen, txcap;
  u32 framed;      /* WebSocket: output up to here is in frames already */
  u8 *part;        /* partial packet carried between reads */
  u32 partlen, partcap;
  u64 t0;          /* connect start */
  u64 ws_left;     /* WebSocket: payload bytes of the current frame still to come */
  u8 ws_hdr[10], ws_hn, ws_skip;
#ifdef WITH_TLS
  SSL *ssl;
#endif
};

struct pub {
  struct conn *c;
  u8 *tmpl;        /* whole PUBLISH packet */
  u32 tlen, pid_off, pay_off;
  char topic[128];
  u32 topiclen, tail; /* tail: --topics, bytes at the topic's end that carry its number */
  u32 first, ntopics; /* --topics: this publisher's share of them */
  u32 props;       /* bytes of MQTT 5 properties */
  u64 sent;        /* PUBLISH packets sent */
  u64 recvd;       /* deliveries seen over all subscribers (unique) */
  u64 written_off; /* deliveries given up on (stall) */
  u32 fan;         /* deliveries expected per message */
  u16 *freeids;    /* stack of free packet ids */
  u32 nfree, ninfl;
  u8 *idst;        /* per packet id: 0 free, 1 awaiting PUBACK/PUBREC, 2 awaiting PUBCOMP */
};

static struct {
  enum mode mode;
  const char *host, *user, *pass, *prefix, *ws;
  int users;
  int port, v, qos, subs, pubs, payload, window, inflight, refill, batch, conc, srcs, srcset;
  int busy, drain_s, stall_s, share, retain, persist, core, subqos, uprops, topics, store_only, json;
#ifdef WITH_TLS
  int tls;
#endif
  double seconds, warmup, rate, churn;
  u64 count;
  int pids[64], npids;
  const char *label;
} o = {.host = "127.0.0.1", .prefix = "load", .port = 1883, .v = 4, .qos = 0, .subs = -1, .pubs = -1,
       .payload = 64, .window = -1, .inflight = 20, .refill = -1, .batch = 256, .conc = 64, .srcs = 1,
       .busy = -1, .drain_s = 3, .stall_s = 2, .core = -1, .subqos = -1, .seconds = 5, .warmup = 1,
       .rate = -1, .label = ""};

#ifdef WITH_TLS
static SSL_CTX *tls_ctx;
#define TLS (o.tls)
#else
#define TLS 0
#endif
static int ep;
static struct conn *conns;
static int nconns, nready, nstarted, ninprog;
static struct pub *pubs;
static u32 *expect; /* [sub * npubs + pub] (fanin/fanout) or [sub] (pairs): next sequence expected */
static u32 *missing; /* same index: how many were skipped and may still come late */
static u8 *rbuf;
static u8 *fill;
static struct conn **dirty;
static int ndirty;
static u64 run_id;

static u64 published, delivered, misordered, dups, gaps, corrupt, stalls, disconnects, bytes_in, reads_in,
    writes_out, write_off_total, acks_late, ndup_flag;
static u64 churned, churn_acks; /* filters subscribed by --churn; acknowledgements of both packets of each */
static u8 *seen;                /* retained: which messages came */
static int pingresps;
static u64 last_progress;
static int granted_min = 3;
static int broker_rm = 65535, broker_maxqos = 2;
static int phase; /* 0 setup 1 warmup 2 measure 3 drain */

static void die(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fprintf(stderr, "load: ");
  vfprintf(stderr, fmt, ap);
  fprintf(stderr, "\n");
  va_end(ap);
  printf("{\"label\":\"%s\",\"error\":\"", o.label);
  va_start(ap, fmt);
  vprintf(fmt, ap);
  va_end(ap);
  printf("\"}\n");
  exit(1);
}
static void *xcalloc(size_t n, size_t s) {
  void *p = calloc(n ? n : 1, s);
  if (!p) die("out of memory");
  return p;
}
static inline u64 now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

/* ---------------------------------------------------------------- histogram (log-linear, 1/128) */
#define HB 7
#define HN ((64 - HB + 1) << HB)
struct hist { u64 n[HN], cnt, max; double sum; };
static struct hist hlat, hlag, hconn;
static inline void hadd(struct hist *h, u64 v) {
  u32 i;
  if (v < (1u << HB)) i = (u32)v;
  else {
    int e = 63 - __builtin_clzll(v) - HB;
    i = (u32)((e + 1) << HB) + (u32)((v >> e) & ((1 << HB) - 1));
  }
  h->n[i]++;
  h->cnt++;
  h->sum += (double)v;
  if (v > h->max) h->max = v;
}
static double hq(struct hist *h, double q) { /* in us */
  if (!h->cnt) return 0;
  u64 want = (u64)(q * (double)h->cnt), acc = 0;
  if (want >= h->cnt) want = h->cnt - 1;
  for (u32 i = 0; i < HN; i++) {
    acc += h->n[i];
    if (acc > want) {
      if (i < (1u << HB)) return i / 1e3;
      int e = (int)(i >> HB) - 1;
      double lo = (double)((u64)((1u << HB) | (i & ((1 << HB) - 1))) << e), w = (double)(1ull << e);
      double m = (lo + w / 2) / 1e3, mx = (double)h->max / 1e3;
      return m < mx ? m : mx;
    }
  }
  return (double)h->max / 1e3;
}

/* ---------------------------------------------------------------- CPU / memory accounting */
struct acct {
  u64 t, delivered, published, bytes_in, reads_in, writes_out;
  double cpu, usr, sys, gen;    /* broker total (ns clock), its user/sys split (ticks), generator */
  double busy, steal, softirq;  /* machine-wide */
  double core_busy, core_softirq;
  u64 rss, hwm;
};
static double clk_s(clockid_t c) {
  struct timespec t;
  if (clock_gettime(c, &t)) return 0;
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static void proc_mem(int pid, u64 *rss, u64 *hwm) {
  char p[64], l[256];
  snprintf(p, sizeof p, "/proc/%d/status", pid);
  FILE *f = fopen(p, "r");
  unsigned long v;
  if (!f) return;
  while (fgets(l, sizeof l, f)) {
    if (sscanf(l, "VmRSS: %lu", &v) == 1) *rss += v;
    if (sscanf(l, "VmHWM: %lu", &v) == 1) *hwm += v;
  }
  fclose(f);
}
static void account(struct acct *a) {
  memset(a, 0, sizeof *a);
  double hz = (double)sysconf(_SC_CLK_TCK);
  for (int i = 0; i < o.npids; i++) {
    clockid_t c;
    char p[64], b[1024];
    if (clock_getcpuclockid(o.pids[i], &c) == 0) a->cpu += clk_s(c);
    snprintf(p, sizeof p, "/proc/%d/stat", o.pids[i]);
    FILE *f = fopen(p, "r");
    if (f) {
      size_t n = fread(b, 1, sizeof b - 1, f);
      b[n] = 0;
      fclose(f);
      char *q = strrchr(b, ')');
      unsigned long u = 0, s = 0;
      if (q && sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s) == 2)
        a->usr += (double)u / hz, a->sys += (double)s / hz;
    }
    proc_mem(o.pids[i], &a->rss, &a->hwm);
  }
  FILE *f = fopen("/proc/stat", "r");
  char l[512];
  while (f && fgets(l, sizeof l, f)) {
    char nm[16];
    unsigned long u, n, s, id, io, ir, so, st;
    if (strncmp(l, "cpu", 3)) break;
    if (sscanf(l, "%15s %lu %lu %lu %lu %lu %lu %lu %lu", nm, &u, &n, &s, &id, &io, &ir, &so, &st) < 9) continue;
    if (!nm[3]) {
      a->busy = (double)(u + n + s + ir + so) / hz;
      a->steal = (double)st / hz;
      a->softirq = (double)so / hz;
    } else if (o.core >= 0 && atoi(nm + 3) == o.core) {
      a->core_busy = (double)(u + n + s + ir + so) / hz;
      a->core_softirq = (double)so / hz;
    }
  }
  if (f) fclose(f);
  a->gen = clk_s(CLOCK_PROCESS_CPUTIME_ID);
  a->t = now_ns();
  a->delivered = delivered;
  a->published = published;
  a->bytes_in = bytes_in;
  a->reads_in = reads_in;
  a->writes_out = writes_out;
}

/* ---------------------------------------------------------------- output */
static void want_out(struct conn *c, int on) {
  if (c->want_out == on) return;
  c->want_out = (u8)on;
  struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static inline u8 *tx_room(struct conn *c, u32 n) {
  if (c->txoff && c->txoff == c->txlen) c->txoff = c->txlen = c->framed = 0;
  if (c->txlen + n > c->txcap) {
    if (c->txoff) {
      memmove(c->tx, c->tx + c->txoff, c->txlen - c->txoff);
      c->txlen -= c->txoff;
      c->framed = c->framed > c->txoff ? c->framed - c->txoff : 0;
      c->txoff = 0;
    }
    if (c->txlen + n > c->txcap) {
      u32 cap = c->txcap ? c->txcap : 64;
      while (cap < c->txlen + n) cap *= 2;
      c->tx = realloc(c->tx, cap);
      if (!c->tx) die("out of memory");
      c->txcap = cap;
    }
  }
  return c->tx + c->txlen;
}
static void conn_dead(struct conn *c, const char *why);
/* WebSocket: what is not in a frame yet becomes one masked binary frame */
static void ws_wrap(struct conn *c) {
  u32 n = c->txlen - c->framed, h = n < 126 ? 6 : n < 65536 ? 8 : 14;
  if (!n) return;
  tx_room(c, h);
  u8 *p = c->tx + c->framed, *d = p + h;
  static const u8 mask[4] = {0x5a, 0xc3, 0x17, 0x9e};
  memmove(d, p, n);
  *p++ = 0x82;
  if (h == 6) *p++ = (u8)(0x80 | n);
  else if (h == 8) *p++ = 0x80 | 126, *p++ = (u8)(n >> 8), *p++ = (u8)n;
  else {
    *p++ = 0x80 | 127;
    for (int i = 7; i >= 0; i--) *p++ = (u8)((u64)n >> (8 * i));
  }
  memcpy(p, mask, 4);
  for (u32 i = 0; i < n; i++) d[i] ^= mask[i & 3];
  c->txlen += h;
  c->framed = c->txlen;
}
/* WebSocket: leaves only the payloads of data frames in the buffer; returns how many bytes, -1 = the broker said close */
static i64 ws_unwrap(struct conn *c, u8 *b, u32 n) {
  u32 i = 0, out = 0;
  while (i < n) {
    if (!c->ws_left) {
      c->ws_hdr[c->ws_hn++] = b[i++];
      if (c->ws_hn < 2) continue;
      u32 l = c->ws_hdr[1] & 127, need = l == 127 ? 10 : l == 126 ? 4 : 2;
      if (c->ws_hn < need) continue;
      u64 len = need == 2 ? l : 0;
      for (u32 k = 2; k < need; k++) len = len << 8 | c->ws_hdr[k];
      int op = c->ws_hdr[0] & 15;
      if (op == 8) return -1;
      c->ws_skip = op > 2;
      c->ws_hn = 0;
      c->ws_left = len;
      continue;
    }
    u32 k = n - i;
    if (k > c->ws_left) k = (u32)c->ws_left;
    if (!c->ws_skip) memmove(b + out, b + i, k), out += k;
    i += k;
    c->ws_left -= k;
  }
  return out;
}
static ssize_t conn_send(struct conn *c, const u8 *p, size_t n) {
#ifdef WITH_TLS
  if (c->ssl) {
    ERR_clear_error();
    int r = SSL_write(c->ssl, p, (int)n);
    if (r > 0) return r;
    int e = SSL_get_error(c->ssl, r);
    errno = e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return -1;
  }
#endif
  return send(c->fd, p, n, MSG_NOSIGNAL);
}
/* With TLS it fills the buffer or takes all there is: what OpenSSL holds is nothing epoll tells of */
static ssize_t conn_recv(struct conn *c, u8 *p, size_t n) {
#ifdef WITH_TLS
  if (c->ssl) {
    size_t got = 0;
    while (got < n) {
      ERR_clear_error();
      int r = SSL_read(c->ssl, p + got, (int)(n - got));
      if (r > 0) {
        got += (size_t)r;
        continue;
      }
      int e = SSL_get_error(c->ssl, r);
      if (got) break;
      if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) return 0;
      errno = EAGAIN;
      return -1;
    }
    return (ssize_t)got;
  }
#endif
  return recv(c->fd, p, n, 0);
}
static void flush_tx(struct conn *c) {
  if (o.ws && c->state > S_WAIT_UPGRADE) ws_wrap(c);
  while (c->txoff < c->txlen) {
    ssize_t n = conn_send(c, c->tx + c->txoff, c->txlen - c->txoff);
    writes_out++;
    if (n < 0) {
      if (errno == EAGAIN) {
        want_out(c, 1);
        return;
      }
      if (errno == EINTR) continue;
      conn_dead(c, strerror(errno));
      return;
    }
    c->txoff += (u32)n;
  }
  c->txoff = c->txlen = c->framed = 0;
  if (c->want_out) want_out(c, 0);
}
static inline void mark_dirty(struct conn *c) {
  if (!c->dirty) {
    c->dirty = 1;
    dirty[ndirty++] = c;
  }
}

/* ---------------------------------------------------------------- packets */
static u8 *put16(u8 *p, u32 v) { return *p++ = (u8)(v >> 8), *p++ = (u8)v, p; }
static u8 *putstr(u8 *p, const char *s, u32 n) { return p = put16(p, n), memcpy(p, s, n), p + n; }
static u8 *putvar(u8 *p, u32 v) {
  do {
    u8 b = v & 127;
    v >>= 7;
    *p++ = b | (v ? 128 : 0);
  } while (v);
  return p;
}
static void send_connect(struct conn *c) {
  u8 b[1024], *p = b;
  char id[64];
  int n = snprintf(id, sizeof id, "ml%llx%c%x", (unsigned long long)(o.persist ? 0 : run_id),
                   c->role == R_SUB ? 's' : 'p', c->idx);
  p = putstr(p, "MQTT", 4);
  *p++ = (u8)o.v;
  *p++ = (u8)((o.persist ? 0 : 2) | (o.user || o.users ? 0x80 : 0) | (o.pass || o.users ? 0x40 : 0));
  p = put16(p, 300);
  if (o.v == 5) {
    if (o.persist) {
      *p++ = 5, *p++ = 0x11, *p++ = 0, *p++ = 0, *p++ = 0x0e, *p++ = 0x10; /* session expiry 3600 s */
    } else *p++ = 0;
  }
  p = putstr(p, id, (u32)n);
  if (o.users) {
    n = snprintf(id, sizeof id, "u%d", c->idx % o.users), p = putstr(p, id, (u32)n);
    id[0] = 'p', p = putstr(p, id, (u32)n);
  }
  if (o.user) p = putstr(p, o.user, (u32)strlen(o.user));
  if (o.pass) p = putstr(p, o.pass, (u32)strlen(o.pass));
  u32 len = (u32)(p - b);
  u8 *w = tx_room(c, len + 5), *w0 = w;
  *w++ = 0x10;
  w = putvar(w, len);
  memcpy(w, b, len);
  c->txlen += (u32)(w + len - w0);
  c->state = S_WAIT_CONNACK;
  flush_tx(c);
}
static void send_upgrade(struct conn *c) {
  u8 *w = tx_room(c, 512);
  c->txlen += (u32)snprintf((char *)w, 512,
                            "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IhIQ==\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
                            o.ws, o.host, o.port);
  c->state = S_WAIT_UPGRADE;
  flush_tx(c);
}
/* SUBSCRIBE (0x82) or UNSUBSCRIBE (0xa2) of one filter */
static void put_filter(struct conn *c, u8 hdr, const char *f, u32 n) {
  u32 len = 2 + (o.v == 5) + 2 + n + (hdr == 0x82);
  u8 *w = tx_room(c, len + 5), *w0 = w;
  *w++ = hdr;
  w = putvar(w, len);
  w = put16(w, 1);
  if (o.v == 5) *w++ = 0;
  w = putstr(w, f, n);
  if (hdr == 0x82) *w++ = (u8)o.subqos;
  c->txlen += (u32)(w - w0);
}
static void send_subscribe(struct conn *c) {
  char f[256];
  int n;
  const char *sh = o.share ? "$share/g/" : "";
  switch (o.mode) {
  case FANOUT: n = snprintf(f, sizeof f, "%s%s/%llx/all", sh, o.prefix, (unsigned long long)run_id); break;
  case FANIN: n = snprintf(f, sizeof f, "%s%s/%llx/in/+", sh, o.prefix, (unsigned long long)run_id); break;
  case RETAINED: n = snprintf(f, sizeof f, "%s/%llx/#", o.prefix, (unsigned long long)run_id); break;
  default: n = snprintf(f, sizeof f, "%s%s/%llx/p/%d", sh, o.prefix, (unsigned long long)run_id, c->idx);
  }
  put_filter(c, 0x82, f, (u32)n);
  c->state = S_WAIT_SUBACK;
  flush_tx(c);
}
/* The number v in the eight digits that end before `end`, whatever slashes are between them */
static void put_digits(u8 *end, u32 v) {
  for (int k = 0; k < 8; k++) {
    if (*--end == '/') --end;
    *end = (u8)('0' + v % 10);
    v /= 10;
  }
}
static void put_hex(u8 *w, const u8 *b, u32 n) {
  static const char digits[] = "0123456789abcdef";
  for (u32 i = 0; i < n; i++) *w++ = (u8)digits[b[i] >> 4], *w++ = (u8)digits[b[i] & 15];
}
static void build_template(struct pub *p, int i) {
  int n;
  switch (o.mode) {
  case FANOUT: n = snprintf(p->topic, sizeof p->topic, "%s/%llx/all", o.prefix, (unsigned long long)run_id); break;
  case FANIN:
    n = snprintf(p->topic, sizeof p->topic, o.topics ? "%s/%llx/in/%08d" : "%s/%llx/in/%d", o.prefix, (unsigned long long)run_id, i);
    p->tail = 8;
    break;
  case RETAINED:
    n = snprintf(p->topic, sizeof p->topic, "%s/%llx/%05d/%03d", o.prefix, (unsigned long long)run_id, 0, 0);
    p->tail = 9;
    break;
  default: n = snprintf(p->topic, sizeof p->topic, "%s/%llx/p/%d", o.prefix, (unsigned long long)run_id, i);
  }
  p->topiclen = (u32)n;
  if (o.topics) {
    p->ntopics = (u32)(o.topics / o.pubs);
    if (!p->ntopics) p->ntopics = 1;
    p->first = (u32)i * p->ntopics;
  }
  static const char key[] = "k000", value[] = "value000"; /* with 5 bytes around them */
  p->props = (u32)o.uprops * (5 + sizeof key - 1 + sizeof value - 1);
  u8 v[4];
  u32 len = 2 + (u32)n + (o.qos ? 2 : 0) + (o.v == 5 ? (u32)(putvar(v, p->props) - v) + p->props : 0) + (u32)o.payload;
  u8 *w = p->tmpl = xcalloc(1, len + 5);
  *w++ = (u8)(0x30 | (o.qos << 1) | (o.retain ? 1 : 0));
  w = putvar(w, len);
  w = putstr(w, p->topic, (u32)n);
  p->pid_off = (u32)(w - p->tmpl);
  if (o.qos) w += 2;
  if (o.v == 5) {
    w = putvar(w, p->props);
    for (int k = 0; k < o.uprops; k++) {
      char a[sizeof key], b[sizeof value];
      snprintf(a, sizeof a, "k%03d", k % 1000);
      snprintf(b, sizeof b, "value%03d", k % 1000);
      *w++ = 0x26;
      w = putstr(w, a, sizeof a - 1);
      w = putstr(w, b, sizeof b - 1);
    }
  }
  p->pay_off = (u32)(w - p->tmpl);
  memcpy(w, fill, (u32)o.payload);
  u32 id = (u32)i;
  if (o.json) put_hex(w + sizeof JSON_HEAD - 1 + 16, (const u8 *)&id, 4);
  else memcpy(w + 8, &id, 4);
  p->tlen = (u32)(w + o.payload - p->tmpl);
  if (o.qos) {
    u32 k = (u32)o.inflight;
    if ((u32)broker_rm < k) k = (u32)broker_rm;
    p->freeids = xcalloc(k, 2);
    p->idst = xcalloc(65536, 1);
    for (u32 j = 0; j < k; j++) p->freeids[j] = (u16)(k - j);
    p->nfree = p->ninfl = k;
  }
}
static void get_hex(u8 *b, const u8 *w, u32 n) {
  for (u32 i = 0; i < n; i++, w += 2) {
    u8 hi = (u8)(w[0] <= '9' ? w[0] - '0' : w[0] - 'a' + 10), lo = (u8)(w[1] <= '9' ? w[1] - '0' : w[1] - 'a' + 10);
    b[i] = (u8)(hi << 4 | lo);
  }
}
static inline void put_publish(struct pub *p, u64 ts) {
  struct conn *c = p->c;
  u8 *w = tx_room(c, p->tlen);
  memcpy(w, p->tmpl, p->tlen);
  if (o.qos) {
    u16 id = p->freeids[--p->nfree];
    p->idst[id] = 1;
    w[p->pid_off] = (u8)(id >> 8);
    w[p->pid_off + 1] = (u8)id;
  }
  if (o.topics) put_digits(w + p->pid_off, p->first + (u32)(p->sent % p->ntopics));
  u32 s = (u32)p->sent;
  if (o.json) {
    u8 *h = w + p->pay_off + sizeof JSON_HEAD - 1;
    put_hex(h, (const u8 *)&ts, 8);
    put_hex(h + 24, (const u8 *)&s, 4);
  } else {
    memcpy(w + p->pay_off, &ts, 8);
    memcpy(w + p->pay_off + 12, &s, 4);
  }
  c->txlen += p->tlen;
  p->sent++;
  published++;
}

/* ---------------------------------------------------------------- publishing */
static int stopping;
static void pump(struct pub *p) {
  struct conn *c = p->c;
  if (stopping || c->state != S_READY || c->want_out) return;
  for (;;) {
    i64 credit = o.batch;
    if (o.window > 0) {
      i64 outst = (i64)(p->sent * p->fan) - (i64)p->recvd - (i64)p->written_off;
      if (outst < 0) outst = 0;
      credit = ((i64)o.window * p->fan - outst) / p->fan;
    }
    if (o.qos && credit > (i64)p->nfree) credit = p->nfree;
    if (o.count) {
      i64 left = (i64)o.count - (i64)published;
      if (left <= 0) return;
      if (credit > left) credit = left;
      else if (credit < o.refill) return;
    } else if (credit < o.refill) return;
    if (credit <= 0) return;
    if (credit > o.batch) credit = o.batch;
    u64 ts = now_ns();
    for (i64 i = 0; i < credit; i++) put_publish(p, ts);
    flush_tx(c);
    if (c->state != S_READY || c->txoff < c->txlen) return;
    if (o.window <= 0) { /* open loop: give the others a turn */
      mark_dirty(c);
      return;
    }
  }
}

/* ---------------------------------------------------------------- receiving */
/* Is it the topic that publisher p gave its message number seq? */
static int right_topic(const struct pub *p, const u8 *t, u32 n, u32 seq) {
  if (n != p->topiclen) return 0;
  if (!o.topics) return !memcmp(t, p->topic, n);
  u8 want[16];
  memcpy(want, p->topic + n - p->tail, p->tail);
  put_digits(want + p->tail, p->first + seq % p->ntopics);
  return !memcmp(t, p->topic, n - p->tail) && !memcmp(t + n - p->tail, want, p->tail);
}
static int got_publish(struct conn *c, u8 hdr, const u8 *b, u32 len, u64 now) {
  int q = (hdr >> 1) & 3;
  if (hdr & 8) ndup_flag++;
  if (len < 2) return -1;
  u32 tl = ((u32)b[0] << 8) | b[1], off = 2 + tl;
  if (off + (q ? 2 : 0) > len) return -1;
  u32 id = 0, props = 0;
  if (q) id = ((u32)b[off] << 8) | b[off + 1], off += 2;
  if (o.v == 5) {
    u32 v = 0, sh = 0;
    for (;;) {
      if (off >= len || sh > 21) return -1;
      u8 x = b[off++];
      v |= (u32)(x & 127) << sh;
      sh += 7;
      if (!(x & 128)) break;
    }
    props = v;
    off += v;
    if (off > len) return -1;
  }
  if (q == 1) {
    u8 *w = tx_room(c, 4);
    w[0] = 0x40, w[1] = 2, w[2] = (u8)(id >> 8), w[3] = (u8)id;
    c->txlen += 4;
  } else if (q == 2) {
    u8 *w = tx_room(c, 4);
    w[0] = 0x50, w[1] = 2, w[2] = (u8)(id >> 8), w[3] = (u8)id;
    c->txlen += 4;
  }
  if (c->role != R_SUB || len - off != (u32)o.payload) {
    corrupt++;
    return 0;
  }
  u64 ts;
  u32 pi, seq;
  u32 head = HDRPAY; /* where what is the same in all of them begins */
  if (o.json) {
    u8 h[HDRPAY];
    get_hex(h, b + off + sizeof JSON_HEAD - 1, HDRPAY);
    memcpy(&ts, h, 8);
    memcpy(&pi, h + 8, 4);
    memcpy(&seq, h + 12, 4);
    head = sizeof JSON_HEAD - 1 + 2 * HDRPAY;
  } else {
    memcpy(&ts, b + off, 8);
    memcpy(&pi, b + off + 8, 4);
    memcpy(&seq, b + off + 12, 4);
  }
  if (pi >= (u32)o.pubs || ((o.mode == PAIRS || o.mode == LATENCY) && pi != (u32)c->idx)) {
    corrupt++;
    return 0;
  }
  struct pub *p = &pubs[pi];
  if (!right_topic(p, b + 2, tl, seq) || (o.uprops && props != p->props) ||
      memcmp(b + off + head, fill + head, (u32)o.payload - head)) {
    corrupt++;
    return 0;
  }
  if (o.mode == RETAINED) { /* in whatever order */
    if (seq >= o.count || seen[seq]) {
      dups++;
      return 0;
    }
    seen[seq] = 1;
  } else if (o.share) { /* any subset may come here: only monotonic order can be checked */
    u32 *e = &expect[(u64)c->idx * (u64)o.pubs + pi];
    if ((int32_t)(seq - *e) < 0) misordered++;
    else *e = seq + 1;
  } else {
    u64 x = (o.mode == FANOUT || o.mode == FANIN) ? (u64)c->idx * (u64)o.pubs + pi : (u64)c->idx;
    u32 *e = &expect[x];
    if (seq == *e) (*e)++;
    else if ((int32_t)(seq - *e) > 0) {
      gaps++;
      missing[x] += seq - *e;
      *e = seq + 1;
    } else if (missing[x] && !(hdr & 8)) { /* one of the skipped ones, late */
      missing[x]--;
      misordered++;
    } else { /* had it already */
      dups++;
      return 0;
    }
  }
  delivered++;
  p->recvd++;
  if (o.mode != LATENCY && o.mode != RETAINED) mark_dirty(p->c);
  hadd(&hlat, now > ts ? now - ts : 0);
  return 0;
}
/* MQTT 5 CONNACK properties we care about */
static void connack_props(const u8 *b, u32 len) {
  u32 i = 0, v = 0, sh = 0;
  for (;;) {
    if (i >= len) return;
    u8 x = b[i++];
    v |= (u32)(x & 127) << sh;
    sh += 7;
    if (!(x & 128)) break;
  }
  u32 end = i + v;
  if (end > len) end = len;
  while (i < end) {
    u8 id = b[i++];
    switch (id) {
    case 0x21: broker_rm = (b[i] << 8) | b[i + 1]; i += 2; break;
    case 0x24: broker_maxqos = b[i]; i += 1; break;
    case 0x25: case 0x28: case 0x29: case 0x2a: i += 1; break;
    case 0x13: case 0x22: i += 2; break;
    case 0x11: case 0x27: i += 4; break;
    case 0x12: case 0x15: case 0x1a: case 0x1c: case 0x1f: case 0x16:
      i += 2 + ((u32)(b[i] << 8) | b[i + 1]); break;
    case 0x26:
      i += 2 + ((u32)(b[i] << 8) | b[i + 1]);
      i += 2 + ((u32)(b[i] << 8) | b[i + 1]);
      break;
    default: return;
    }
  }
}
static void on_ready(struct conn *c);
static u64 connacks;
/* CONNECT, SESSIONS: that was it; the broker closes */
static int say_goodbye(struct conn *c, u64 now) {
  u8 *w = tx_room(c, 2);
  w[0] = 0xe0, w[1] = 0;
  c->txlen += 2;
  c->state = S_WAIT_EOF;
  c->t0 = now;
  flush_tx(c);
  ninprog--;
  return 1;
}
static int packet(struct conn *c, u8 hdr, const u8 *b, u32 len, u64 now) {
  switch (hdr >> 4) {
  case 3: return got_publish(c, hdr, b, len, now);
  case 2:
    if (c->state != S_WAIT_CONNACK || len < 2) return -1;
    if (b[1]) die("CONNACK refused, code %d", b[1]);
    if (o.v == 5) connack_props(b + 2, len - 2);
    connacks++;
    hadd(&hconn, now - c->t0);
    if (o.mode == CONNECT) return say_goodbye(c, now);
    if (c->role == R_SUB || o.mode == SESSIONS) send_subscribe(c);
    else on_ready(c);
    return 0;
  case 11: /* UNSUBACK */
    if (c->role != R_CHURN) return -1;
    churn_acks++;
    return 0;
  case 9: {
    if ((c->state != S_WAIT_SUBACK && c->role != R_CHURN) || len < 3) return -1;
    u8 rc = b[len - 1];
    if (rc > 2) die("SUBACK refused, code %d", rc);
    if (c->role == R_CHURN) {
      churn_acks++;
      return 0;
    }
    if (rc < granted_min) granted_min = rc;
    if (o.mode == SESSIONS) return say_goodbye(c, now);
    on_ready(c);
    return 0;
  }
  case 4: /* PUBACK */
  case 5: /* PUBREC */
  case 7: /* PUBCOMP */ {
    if (len < 2 || c->role != R_PUB || !o.qos) return -1;
    struct pub *p = &pubs[c->idx];
    u32 id = ((u32)b[0] << 8) | b[1];
    int t = hdr >> 4;
    if (o.v == 5 && len > 2 && b[2] >= 0x80) acks_late++; /* refused by the broker */
    if (t == 5) {
      if (p->idst[id] != 1) return 0;
      p->idst[id] = 2;
      u8 *w = tx_room(c, 4);
      w[0] = 0x62, w[1] = 2, w[2] = b[0], w[3] = b[1];
      c->txlen += 4;
      return 0;
    }
    if (p->idst[id] != (t == 4 ? 1 : 2)) return 0;
    p->idst[id] = 0;
    p->freeids[p->nfree++] = (u16)id;
    if (o.mode != LATENCY) mark_dirty(c);
    return 0;
  }
  case 6: /* PUBREL to a subscriber */ {
    if (len < 2) return -1;
    u8 *w = tx_room(c, 4);
    w[0] = 0x70, w[1] = 2, w[2] = b[0], w[3] = b[1];
    c->txlen += 4;
    return 0;
  }
  case 13: return pingresps++, 0;
  case 14: fprintf(stderr, "load: server DISCONNECT, reason %d\n", len ? b[0] : 0); return -1;
  default: return -1;
  }
}
static void conn_close(struct conn *c) {
#ifdef WITH_TLS
  if (c->ssl) SSL_free(c->ssl), c->ssl = NULL;
#endif
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  c->state = S_FREE;
  c->want_out = 0;
  c->txoff = c->txlen = c->framed = c->partlen = 0;
  c->ws_left = 0;
  c->ws_hn = 0;
}
static void conn_dead(struct conn *c, const char *why) {
  if (c->state == S_DEAD || c->state == S_FREE) return;
  if (phase == 0) die("connection %s %d lost during setup: %s", c->role == R_SUB ? "sub" : "pub", c->idx, why);
  if (!disconnects) fprintf(stderr, "load: connection %s %d lost: %s\n", c->role == R_SUB ? "sub" : "pub", c->idx, why);
  disconnects++;
  conn_close(c);
  c->state = S_DEAD;
}
static void on_read(struct conn *c) {
  for (int round = 0; TLS || round < 4; round++) {
    u32 have = c->partlen;
    if (have) memcpy(rbuf, c->part, have);
    ssize_t n = conn_recv(c, rbuf + have, RBUF - have);
    reads_in++;
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      if (c->state == S_WAIT_EOF) conn_close(c);
      else conn_dead(c, strerror(errno));
      return;
    }
    if (n == 0) {
      if (c->state == S_WAIT_EOF) conn_close(c);
      else conn_dead(c, "closed by broker");
      return;
    }
    bytes_in += (u64)n;
    u64 now = now_ns();
    last_progress = now;
    u32 end = have + (u32)n, i = 0;
    if (c->state == S_WAIT_UPGRADE) { /* nothing follows the answer before our CONNECT */
      if (end < 16 || memcmp(rbuf + end - 4, "\r\n\r\n", 4)) goto keep;
      if (memcmp(rbuf, "HTTP/1.1 101", 12)) die("WebSocket refused: %.60s", (char *)rbuf);
      c->partlen = 0;
      send_connect(c);
      return;
    }
    if (o.ws) {
      /* the broker's Close frame answers our DISCONNECT; what is waited for is the end of the connection */
      if (c->state == S_WAIT_EOF) continue;
      i64 m = ws_unwrap(c, rbuf + have, (u32)n);
      if (m < 0) {
        if (c->state == S_WAIT_EOF) conn_close(c);
        else conn_dead(c, "WebSocket closed by broker");
        return;
      }
      end = have + (u32)m;
    }
    while (end - i >= 2) {
      u32 len = 0, sh = 0, k = i + 1;
      int ok = 0;
      while (k < end && sh <= 21) {
        u8 x = rbuf[k++];
        len |= (u32)(x & 127) << sh;
        sh += 7;
        if (!(x & 128)) {
          ok = 1;
          break;
        }
      }
      if (!ok || end - k < len) break;
      int r = packet(c, rbuf[i], rbuf + k, len, now);
      if (r < 0) {
        conn_dead(c, "protocol error or DISCONNECT");
        return;
      }
      if (c->state == S_DEAD || c->state == S_FREE) return;
      i = k + len;
    }
  keep:
    c->partlen = end - i;
    if (c->partlen) {
      if (c->partlen > RBUF / 2) die("oversized packet");
      if (c->partcap < c->partlen) {
        c->partcap = c->partlen * 2;
        c->part = realloc(c->part, c->partcap);
        if (!c->part) die("out of memory");
      }
      memcpy(c->part, rbuf + i, c->partlen);
    }
    /* a dirty publisher is flushed by the main loop: its PUBRELs ride with the next PUBLISHes */
    if (!c->dirty && c->txoff < c->txlen && !c->want_out) flush_tx(c);
    if (c->state == S_DEAD || n < (ssize_t)(RBUF - have)) return;
  }
}

/* ---------------------------------------------------------------- connecting */
static struct sockaddr_in dst;
static u64 src_rr;
static void conn_start(struct conn *c) {
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket: %s", strerror(errno));
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (o.srcs > 1) {
    struct sockaddr_in s = {.sin_family = AF_INET};
    s.sin_addr.s_addr = htonl(0x7f000002u + (u32)(src_rr++ % (u64)o.srcs)); /* 127.0.0.2 ... */
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&s, sizeof s)) die("bind source: %s", strerror(errno));
  }
  c->t0 = now_ns();
  c->state = S_CONNECTING;
  c->want_out = 1;
  int r = connect(c->fd, (struct sockaddr *)&dst, sizeof dst);
  if (r && errno != EINPROGRESS) die("connect: %s", strerror(errno));
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e)) die("epoll_ctl: %s", strerror(errno));
}
static void on_ready(struct conn *c) {
  c->state = S_READY;
  nready++;
  ninprog--;
}
static void conn_begin(struct conn *c) {
  if (o.ws) send_upgrade(c);
  else send_connect(c);
}
#ifdef WITH_TLS
static void tls_setup(void) {
  tls_ctx = SSL_CTX_new(TLS_client_method());
  if (!tls_ctx) die("OpenSSL does not start");
  SSL_CTX_set_mode(tls_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(tls_ctx, SSL_VERIFY_NONE, NULL); /* the brokers' certificates are signed by themselves */
  SSL_CTX_set_read_ahead(tls_ctx, 1);
}
static void tls_step(struct conn *c) {
  ERR_clear_error();
  int r = SSL_do_handshake(c->ssl);
  if (r == 1) {
    want_out(c, 0);
    conn_begin(c);
    return;
  }
  int e = SSL_get_error(c->ssl, r);
  if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) die("TLS handshake failed: %s", ERR_error_string(ERR_get_error(), NULL));
  want_out(c, e == SSL_ERROR_WANT_WRITE);
}
#endif
static void on_event(struct conn *c, u32 ev) {
  if (c->state == S_FREE || c->state == S_DEAD) return;
  if (c->state == S_CONNECTING) {
    if (ev & (EPOLLERR | EPOLLHUP)) {
      int e = 0;
      socklen_t l = sizeof e;
      getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &l);
      die("connect failed: %s", strerror(e));
    }
    if (ev & EPOLLOUT) {
      want_out(c, 0);
#ifdef WITH_TLS
      if (o.tls) {
        c->ssl = SSL_new(tls_ctx);
        if (!c->ssl) die("out of memory");
        SSL_set_fd(c->ssl, c->fd);
        SSL_set_connect_state(c->ssl);
        c->state = S_TLS;
        tls_step(c);
        return;
      }
#endif
      conn_begin(c);
    }
    return;
  }
#ifdef WITH_TLS
  if (c->state == S_TLS) {
    tls_step(c);
    return;
  }
#endif
  if (ev & EPOLLOUT) {
    flush_tx(c);
    if (c->state == S_READY && c->role == R_PUB && phase > 0 && c->txoff == c->txlen) mark_dirty(c);
  }
  if (c->state != S_FREE && c->state != S_DEAD && (ev & (EPOLLIN | EPOLLERR | EPOLLHUP))) on_read(c);
}

static struct epoll_event evs[2048];
static void poll_once(i64 timeout_ns) {
  struct timespec ts = {timeout_ns / 1000000000, timeout_ns % 1000000000};
  int n = epoll_pwait2(ep, evs, 2048, timeout_ns < 0 ? NULL : &ts, NULL);
  if (n < 0 && errno != EINTR) die("epoll: %s", strerror(errno));
  for (int i = 0; i < n; i++) on_event(evs[i].data.ptr, evs[i].events);
}

/* ---------------------------------------------------------------- JSON */
static char jb[16384];
static int jn;
static void J(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  jn += vsnprintf(jb + jn, sizeof jb - (size_t)jn, fmt, ap);
  va_end(ap);
}
static const char *mode_names[] = {"fanout", "fanin", "pairs", "latency", "connect", "idle", "sessions", "retained"};
static void json_head(void) {
  double la[3] = {0};
  if (getloadavg(la, 3) < 0) la[0] = -1;
  J("{\"label\":\"%s\",\"mode\":\"%s\",\"v\":%d", o.label, mode_names[o.mode], o.v);
  J(",\"tls\":%d,\"load1\":%.2f", TLS, la[0]);
}
static void json_hist(const char *n, struct hist *h) {
  J(",\"%s\":{\"n\":%llu,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", n,
    (unsigned long long)h->cnt, h->cnt ? h->sum / (double)h->cnt / 1e3 : 0, hq(h, .5), hq(h, .9), hq(h, .99),
    hq(h, .999), (double)h->max / 1e3);
}
static void json_cpu(struct acct *a, struct acct *b, u64 rss0, double units) {
  double dt = (double)(b->t - a->t) / 1e9, cpu = b->cpu - a->cpu, gen = b->gen - a->gen;
  J(",\"gen_cpu_s\":%.3f,\"gen_util\":%.3f", gen, gen / dt);
  if (o.npids) {
    J(",\"broker\":{\"cpu_s\":%.4f,\"util\":%.3f,\"user_s\":%.2f,\"sys_s\":%.2f", cpu, cpu / dt, b->usr - a->usr,
      b->sys - a->sys);
    if (units > 0) J(",\"us_per_msg\":%.4f", cpu * 1e6 / units);
    J(",\"rss0_kb\":%llu,\"rss_kb\":%llu,\"hwm_kb\":%llu}", (unsigned long long)rss0, (unsigned long long)b->rss,
      (unsigned long long)b->hwm);
  }
  double noise = (b->busy - a->busy) - cpu - gen;
  J(",\"noise_cpu_s\":%.2f,\"steal_s\":%.2f,\"softirq_s\":%.2f", o.npids ? noise : -1.0, b->steal - a->steal,
    b->softirq - a->softirq);
  if (o.core >= 0)
    J(",\"core\":{\"n\":%d,\"busy_s\":%.2f,\"softirq_s\":%.2f}", o.core, b->core_busy - a->core_busy,
      b->core_softirq - a->core_softirq);
}
static void json_out(void) {
  J("}");
  puts(jb);
  fflush(stdout);
}

/* ---------------------------------------------------------------- modes */
static void setup_conns(void) {
  u64 t_end = now_ns() + 120000000000ull;
  while (nready < nconns) {
    while (nstarted < nconns && ninprog < o.conc) {
      ninprog++;
      conn_start(&conns[nstarted++]);
    }
    poll_once(100000000);
    if (now_ns() > t_end) die("setup timed out: %d of %d connections ready", nready, nconns);
  }
}
static u64 fan_total(void) { /* deliveries expected for all that was published */
  u64 s = 0;
  for (int i = 0; i < o.pubs; i++) s += pubs[i].sent * pubs[i].fan;
  return s;
}
static void write_off(void) { /* closed loop came to a stop: give the missing ones up and go on */
  stalls++;
  for (int i = 0; i < o.pubs; i++) {
    struct pub *p = &pubs[i];
    i64 out = (i64)(p->sent * p->fan) - (i64)p->recvd - (i64)p->written_off;
    if (out > 0) {
      p->written_off += (u64)out;
      write_off_total += (u64)out;
    }
    mark_dirty(p->c);
  }
}
static u64 lat_k, lat_t0;
static void lat_pump(u64 now) {
  double step = 1e9 / o.rate;
  for (;;) {
    u64 due = lat_t0 + (u64)((double)lat_k * step);
    if (due > now) return;
    struct pub *p = &pubs[lat_k % (u64)o.pubs];
    struct conn *c = p->c;
    if (c->state != S_READY) { lat_k++; continue; }
    if (c->txoff < c->txlen || (o.qos && !p->nfree)) return; /* blocked: keeps its due time */
    put_publish(p, due);
    flush_tx(c);
    hadd(&hlag, now - due);
    lat_k++;
    now = now_ns();
  }
}
/*
 * --churn: filters that match nothing but share their first levels with what is published. Each is there while the next CHURN_LIVE
 * come; who takes them more slowly than they are due gets fewer ("churned_per_s").
 */
#define CHURN_LIVE 100
#define CHURN_WAITING 1000 /* acknowledgements; beyond it the next filter waits */
static void churn_pump(struct conn *c, u64 t0, u64 now) {
  char f[256];
  while (c->state == S_READY && !c->want_out && churned * 2 - churn_acks < CHURN_WAITING) {
    if (t0 + (u64)((double)churned * 1e9 / o.churn) > now) break;
    for (int off = 0; off < 2; off++) { /* the first ones that go were never there: so each turn has two acknowledgements */
      u64 k = churned + (off ? 0 : CHURN_LIVE);
      int n = snprintf(f, sizeof f, "%s/%llx/in/+/c%llu", o.prefix, (unsigned long long)run_id, (unsigned long long)k);
      put_filter(c, off ? 0xa2 : 0x82, f, (u32)n);
    }
    churned++;
  }
  if (c->state == S_READY && !c->want_out && c->txoff < c->txlen) flush_tx(c);
}
/* Politely, so that the broker has no half-open sessions to clear */
static void leave(void) {
  for (int i = 0; i < nconns; i++) {
    struct conn *c = &conns[i];
    if (c->state != S_READY || c->want_out) continue;
    u8 *w = tx_room(c, 2);
    w[0] = 0xe0, w[1] = 0;
    c->txlen += 2;
    flush_tx(c);
  }
  usleep(200000);
}
static void run_traffic(void) {
  int one_to_one = o.mode == PAIRS || o.mode == LATENCY;
  nconns = o.subs + o.pubs + (o.churn > 0);
  conns = xcalloc((size_t)nconns, sizeof *conns);
  dirty = xcalloc((size_t)nconns + 1, sizeof *dirty);
  pubs = xcalloc((size_t)o.pubs, sizeof *pubs);
  expect = xcalloc(one_to_one && !o.share ? (size_t)o.subs : (size_t)o.subs * (size_t)o.pubs, sizeof *expect);
  missing = xcalloc(one_to_one && !o.share ? (size_t)o.subs : (size_t)o.subs * (size_t)o.pubs, sizeof *missing);
  for (int i = 0; i < nconns; i++) {
    conns[i].fd = -1;
    conns[i].role = i < o.subs ? R_SUB : i < o.subs + o.pubs ? R_PUB : R_CHURN;
    conns[i].idx = i < o.subs ? i : i - o.subs;
  }
  struct acct idle0, a, b;
  account(&idle0);
  u64 ts0 = now_ns();
  setup_conns();
  double setup_s = (double)(now_ns() - ts0) / 1e9;
  if (o.v == 5 && o.qos > broker_maxqos) die("broker's maximum QoS is %d", broker_maxqos);
  for (int i = 0; i < o.pubs; i++) {
    pubs[i].c = &conns[o.subs + i];
    pubs[i].fan = one_to_one || o.share ? 1 : (u32)o.subs;
    build_template(&pubs[i], i);
  }
  u64 w = now_ns() + 200000000ull; /* let the broker settle */
  while (now_ns() < w) poll_once(20000000);
  phase = 1;
  u64 start = now_ns(), t_meas = start + (u64)(o.warmup * 1e9), t_end = t_meas + (u64)(o.seconds * 1e9);
  int measuring = 0;
  last_progress = start;
  lat_t0 = start;
  for (int i = 0; i < o.pubs; i++) mark_dirty(pubs[i].c);
  u64 churned_a = 0, churned_b = 0;
  u64 hard_end = start + (u64)((o.warmup + (o.count ? 600 : o.seconds)) * 1e9);
  for (;;) {
    u64 now = now_ns();
    if (!measuring && (o.count || now >= t_meas)) {
      memset(&hlat, 0, sizeof hlat);
      memset(&hlag, 0, sizeof hlag);
      account(&a);
      churned_a = churned;
      t_end = a.t + (u64)(o.seconds * 1e9);
      measuring = 1, phase = 2;
    }
    if (measuring && (o.count ? (published >= o.count && delivered + write_off_total >= fan_total()) || now > hard_end
                              : now >= t_end)) {
      account(&b);
      churned_b = churned;
      break;
    }
    if (o.mode == LATENCY) {
      lat_pump(now);
      if (o.busy) poll_once(0);
      else {
        u64 due = lat_t0 + (u64)((double)lat_k * 1e9 / o.rate), n2 = now_ns();
        i64 t = due > n2 ? (i64)(due - n2) : 0;
        poll_once(t > 50000000 ? 50000000 : t);
      }
    } else {
      int nd = ndirty;
      for (int i = 0; i < nd; i++) {
        struct conn *c = dirty[i];
        c->dirty = 0;
        pump(&pubs[c->idx]);
        if (c->state == S_READY && c->txoff < c->txlen && !c->want_out) flush_tx(c);
      }
      if (ndirty > nd) memmove(dirty, dirty + nd, (size_t)(ndirty - nd) * sizeof *dirty);
      ndirty -= nd;
      if (o.churn > 0) churn_pump(&conns[nconns - 1], start, now);
      poll_once(o.busy > 0 || ndirty ? 0 : o.churn > 0 ? 200000 : 20000000);
      if (o.window > 0 && now > last_progress + (u64)o.stall_s * 1000000000ull) {
        write_off();
        last_progress = now;
      }
    }
    if (disconnects >= (u64)nconns) {
      account(&b);
      if (!measuring) a = b;
      break;
    }
  }
  struct hist *snap = xcalloc(1, sizeof *snap);
  *snap = hlat;
  /* drain: nothing new is published; acks go on */
  phase = 3;
  stopping = 1;
  u64 lim = now_ns() + 60000000000ull;
  last_progress = now_ns();
  for (;;) {
    u64 open_ids = 0;
    if (o.qos)
      for (int i = 0; i < o.pubs; i++) open_ids += pubs[i].ninfl - pubs[i].nfree;
    if (delivered >= fan_total() && !open_ids) break;
    for (int i = 0; i < ndirty; i++) { /* acks that were waiting for a PUBLISH to ride with */
      dirty[i]->dirty = 0;
      if (dirty[i]->state == S_READY && !dirty[i]->want_out && dirty[i]->txlen) flush_tx(dirty[i]);
    }
    ndirty = 0;
    poll_once(20000000);
    u64 now = now_ns();
    if (now > last_progress + (u64)o.drain_s * 1000000000ull || now > lim) break;
  }
  u64 unacked = 0, expct = fan_total();
  if (o.qos)
    for (int i = 0; i < o.pubs; i++) unacked += pubs[i].ninfl - pubs[i].nfree;
  double dt = (double)(b.t - a.t) / 1e9, cpu = b.cpu - a.cpu;
  u64 d = b.delivered - a.delivered;
  json_head();
  if (o.npids) J(",\"msgs_per_broker_cpu_s\":%.0f", cpu > 0 ? (double)d / cpu : 0);
  J(",\"delivered_per_s\":%.0f,\"published_per_s\":%.0f", (double)d / dt, (double)(b.published - a.published) / dt);
  J(",\"qos\":%d,\"payload\":%d,\"pubs\":%d,\"subs\":%d,\"window\":%d,\"inflight\":%d,\"refill\":%d,\"batch\":%d", o.qos,
    o.payload, o.pubs, o.subs, o.window, o.qos ? (int)pubs[0].ninfl : 0, o.refill, o.batch);
  if (o.mode == LATENCY) J(",\"rate\":%.0f", o.rate);
  if (o.topics) J(",\"topics\":%d", o.topics);
  if (o.churn > 0) {
    double behind = o.churn * (double)(b.t - start) / 1e9 - (double)churned_b;
    /* a tenth of a second's worth may be under way */
    J(",\"churned_per_s\":%.0f,\"churn_behind\":%.0f", (double)(churned_b - churned_a) / dt, behind > o.churn / 10 ? behind : 0);
  }
  J(",\"secs\":%.3f,\"setup_s\":%.3f,\"published\":%llu,\"delivered\":%llu,\"lost\":%lld", dt, setup_s,
    (unsigned long long)published, (unsigned long long)delivered, (long long)(expct - delivered));
  J(",\"gaps\":%llu,\"misordered\":%llu,\"dup\":%llu,\"corrupt\":%llu,\"stalls\":%llu,\"unacked\":%llu,\"refused\":%llu,"
    "\"disconnects\":%llu,\"granted_qos\":%d",
    (unsigned long long)gaps, (unsigned long long)misordered, (unsigned long long)dups, (unsigned long long)corrupt,
    (unsigned long long)stalls, (unsigned long long)unacked, (unsigned long long)acks_late,
    (unsigned long long)disconnects, granted_min);
  double rd = (double)(b.reads_in - a.reads_in);
  J(",\"msgs_per_read\":%.2f,\"bytes_per_read\":%.0f,\"pubs_per_write\":%.2f", rd > 0 ? (double)d / rd : 0,
    rd > 0 ? (double)(b.bytes_in - a.bytes_in) / rd : 0,
    b.writes_out > a.writes_out ? (double)(b.published - a.published) / (double)(b.writes_out - a.writes_out) : 0);
  json_hist("lat_us", snap);
  if (o.mode == LATENCY) json_hist("send_lag_us", &hlag);
  json_cpu(&a, &b, idle0.rss, (double)d);
  json_out();
  leave();
}
static void run_connect(void) {
  u64 total = o.count ? o.count : (u64)((o.rate > 0 ? o.rate : 2000) * o.seconds);
  int cap = o.conc * 64 + 1024;
  if (cap > 60000) cap = 60000;
  conns = xcalloc((size_t)cap, sizeof *conns);
  int *fr = xcalloc((size_t)cap, sizeof *fr), nf = 0;
  for (int i = cap - 1; i >= 0; i--) conns[i].fd = -1, conns[i].role = R_PUB, fr[nf++] = i;
  u8 *on = xcalloc((size_t)cap, 1);
  struct acct a, b;
  u64 started = 0, forced = 0, lastsweep = 0;
  phase = 0;
  account(&a);
  u64 t0 = a.t, hard = t0 + 120000000000ull;
  u64 tlast = t0;
  for (;;) {
    u64 now = now_ns();
    while (started < total && ninprog < o.conc && nf && (o.rate <= 0 || (double)started < o.rate * (double)(now - t0) / 1e9)) {
      int s = fr[--nf];
      on[s] = 1;
      conns[s].idx = (int)started++;
      ninprog++;
      conn_start(&conns[s]);
    }
    u64 before = connacks;
    poll_once(o.rate > 0 && started < total ? 500000 : 10000000);
    if (connacks != before) tlast = now_ns();
    int sweep = now > lastsweep + 10000000;
    if (sweep || nf < o.conc) {
      lastsweep = now;
      int open = 0;
      for (int i = 0; i < cap; i++)
        if (on[i]) {
          if (conns[i].state == S_WAIT_EOF && now > conns[i].t0 + 2000000000ull) conn_close(&conns[i]), forced++;
          if (conns[i].state == S_FREE) on[i] = 0, fr[nf++] = i;
          else open++;
        }
      if (started >= total && !open) break;
    }
    if (now > hard) break;
  }
  account(&b);
  double dt = (double)(tlast - t0) / 1e9;
  json_head();
  J(",\"connects_per_s\":%.0f", (double)connacks / dt);
  if (o.npids) J(",\"connects_per_broker_cpu_s\":%.0f", (double)connacks / (b.cpu - a.cpu));
  J(",\"total\":%llu,\"connected\":%llu,\"unconnected\":%llu,\"rate\":%.0f,\"conc\":%d,\"secs\":%.3f,\"not_closed_by_broker\":%llu",
    (unsigned long long)total, (unsigned long long)connacks, (unsigned long long)(total - connacks), o.rate, o.conc, dt, (unsigned long long)forced);
  if (o.mode == SESSIONS && o.npids) J(",\"session_us\":%.2f", (b.cpu - a.cpu) * 1e6 / (double)connacks);
  json_hist("connack_us", &hconn);
  json_cpu(&a, &b, a.rss, (double)connacks);
  json_out();
}
static void run_idle(void) {
  nconns = o.subs;
  conns = xcalloc((size_t)nconns, sizeof *conns);
  for (int i = 0; i < nconns; i++) conns[i].fd = -1, conns[i].role = R_SUB, conns[i].idx = i;
  struct acct a, b, c;
  account(&a);
  setup_conns();
  double setup = (double)(now_ns() - a.t) / 1e9;
  phase = 1;
  account(&b);
  u64 end = now_ns() + (u64)(o.seconds * 1e9);
  while (now_ns() < end) poll_once(50000000);
  account(&c);
  json_head();
  if (o.npids)
    J(",\"rss_bytes_per_conn\":%.0f,\"rss_bytes_per_conn_at_once\":%.0f", ((double)c.rss - (double)a.rss) * 1024 / nconns,
      ((double)b.rss - (double)a.rss) * 1024 / nconns);
  J(",\"conns\":%d,\"setup_s\":%.3f,\"connect_subscribe_per_s\":%.0f,\"hold_s\":%.1f,\"disconnects\":%llu", nconns, setup,
    nconns / setup, (double)(c.t - b.t) / 1e9, (unsigned long long)disconnects);
  if (o.npids)
    J(",\"setup_cpu_us_per_conn\":%.1f,\"idle_cpu_ms_per_s\":%.3f", (b.cpu - a.cpu) * 1e6 / nconns,
      (c.cpu - b.cpu) * 1e3 / ((double)(c.t - b.t) / 1e9));
  json_hist("connack_us", &hconn);
  json_cpu(&a, &c, a.rss, 0);
  json_out();
  leave();
}
/* Until nothing is missing, or nothing has come for --drain seconds */
static void await_all(u64 *have, u64 want) {
  last_progress = now_ns();
  while (*have < want && now_ns() < last_progress + (u64)o.drain_s * 1000000000ull) poll_once(20000000);
}
static void run_retained(void) {
  struct conn *c;
  conns = xcalloc(2, sizeof *conns);
  dirty = xcalloc(3, sizeof *dirty);
  pubs = xcalloc(1, sizeof *pubs);
  seen = xcalloc(o.count, 1);
  conns[0] = (struct conn){.fd = -1, .role = R_PUB};
  conns[1] = (struct conn){.fd = -1, .role = R_SUB};
  nconns = 1;
  setup_conns();
  c = pubs->c = &conns[0];
  pubs->fan = 1;
  build_template(pubs, 0);
  phase = 2;
  struct acct a, b, d, e;
  account(&a);
  mark_dirty(c);
  last_progress = a.t;
  while (published < o.count || (o.qos && pubs->nfree < pubs->ninfl)) {
    if (c->dirty) c->dirty = 0, ndirty = 0, pump(pubs);
    if (c->state == S_READY && c->txoff < c->txlen && !c->want_out) flush_tx(c);
    poll_once(ndirty ? 0 : 20000000);
    if (c->state != S_READY) die("the broker closed the connection of the publisher of retained messages");
    if (now_ns() > last_progress + 60000000000ull) die("no acknowledgement for a minute");
    if (o.qos == 0) last_progress = now_ns();
  }
  /* what is not acknowledged was taken before the answer to what comes behind it */
  memcpy(tx_room(c, 2), "\xc0\0", 2);
  c->txlen += 2;
  flush_tx(c);
  last_progress = now_ns();
  while (!pingresps && now_ns() < last_progress + 60000000000ull) poll_once(20000000);
  account(&b);
  double n = (double)o.count;
  json_head();
  J(",\"count\":%llu,\"payload\":%d,\"qos\":%d,\"stored_per_s\":%.0f", (unsigned long long)o.count, o.payload, o.qos,
    n * 1e9 / (double)(b.t - a.t));
  if (o.npids) J(",\"store_us\":%.3f", (b.cpu - a.cpu) * 1e6 / n);
  if (!o.store_only) {
    account(&d);
    phase = 0;
    nconns = 2;
    conn_start(&conns[1]);
    ninprog++;
    await_all(&delivered, o.count);
    phase = 3;
    account(&e);
    if (o.npids) J(",\"storm_us\":%.3f", delivered ? (e.cpu - d.cpu) * 1e6 / (double)delivered : 0);
    J(",\"storm_per_s\":%.0f,\"lost\":%llu,\"dup\":%llu,\"corrupt\":%llu", (double)delivered * 1e9 / (double)(e.t - d.t),
      (unsigned long long)(o.count - delivered), (unsigned long long)dups, (unsigned long long)corrupt);
  }
  json_cpu(&a, &b, a.rss, n);
  json_out();
  leave();
}

static const char *help =
    "load MODE [options]      MQTT load generator; prints one JSON line.\n"
    "\n"
    "modes\n"
    "  fanout   --pubs P (1) publishers -> --subs S (100) subscribers, all on one topic\n"
    "  fanin    --pubs P (100) publishers, each its own topic -> --subs S (1) with a + filter\n"
    "  pairs    --pairs N (50) publisher/subscriber pairs, each its own topic\n"
    "  latency  --pairs N (50), --rate R (5000) msg/s in all; p50..max of publish->delivery, us\n"
    "           (time counts from when the message was due: no coordinated omission)\n"
    "  connect  --count N (5000) connections, CONNECT..CONNACK, DISCONNECT, wait for the broker's\n"
    "           close; --rate C per second (0: as fast as it goes), --conc K handshakes at a time (64)\n"
    "           --users N: as users u0, u1 ... uN-1 in turn, with the passwords p0, p1 ...\n"
    "  idle     --conns N (10000), one subscription each, held --seconds T; RSS per connection\n"
    "  sessions --count N (10000) persistent sessions: CONNECT with clean session 0 and an identifier\n"
    "           of its own, SUBSCRIBE, DISCONNECT; --rate and --conc as above; CPU us each\n"
    "  retained --count N (100000) retained messages stored, then all sent to one subscriber of #\n"
    "           (--store-only: not that); CPU us each of both\n"
    "\n"
    "what is sent\n"
    "  --qos Q (0)        of publish and subscription    --sub-qos Q      of the subscription only\n"
    "  --payload B (64)   bytes, at least 16             --retain         set RETAIN\n"
    "  --json             the payload is JSON of an object, t is 25\n"
    "  --share            subscribe through $share/g/    --persist        clean session 0\n"
    "  --uprops N         MQTT 5 user properties on each PUBLISH\n"
    "  --topics N         fanin: the publishers walk over N distinct topics\n"
    "  --churn R          traffic modes but latency: beside it, a client subscribes to R wildcard\n"
    "                     filters a second that match nothing, and leaves each again\n"
    "  --window W         messages a publisher may have undelivered (default 100; 0: open loop)\n"
    "  --inflight W (20)  QoS 1/2 packets unacknowledged (lowered to the broker's Receive Maximum)\n"
    "  --refill R         a publisher waits until it may send R messages (default window/4 or\n"
    "                     inflight/4), so that one write() carries R or more; 1: send at once\n"
    "  --batch B (256)    at most B messages in one write()\n"
    "how long\n"
    "  --seconds T (5)    measured, after --warmup T (1)   --count N   messages in all, instead\n"
    "  --stall S (2)      closed loop with no progress for S s: give up what is missing, go on\n"
    "  --drain S (3)      at the end wait till S s pass without progress\n"
    "  --busy / --no-busy busy-poll the sockets (default in latency mode)\n"
    "where\n"
    "  -h HOST (127.0.0.1)  -p PORT (1883)  -V 4|5 (4)  -u USER  -P PASSWORD  --prefix TOPIC\n"
    "  --ws PATH          over WebSocket, e.g. --ws /mqtt\n"
#ifdef WITH_TLS
    "  --tls              over TLS; any certificate will do\n"
#endif
    "  --srcs K           spread connections over K source addresses from 127.0.0.2 on\n"
    "meter\n"
    "  --pid PID[,PID..]  the broker: CPU seconds (all threads), RSS; gives msgs_per_broker_cpu_s\n"
    "  --core N           also report how busy core N was (where the broker is pinned)\n"
    "  --label TEXT       copied into the JSON\n";

int main(int argc, char **argv) {
  if (argc < 2 || !strcmp(argv[1], "--help")) {
    fputs(help, stdout);
    return argc < 2;
  }
  int m;
  for (m = 0; m < NMODES; m++)
    if (!strcmp(argv[1], mode_names[m])) break;
  if (m == NMODES) {
    fprintf(stderr, "load: no mode '%s' (try --help)\n", argv[1]);
    return 2;
  }
  o.mode = (enum mode)m;
  for (int i = 2; i < argc; i++) {
    const char *k = argv[i];
#define FLAG(n) !strcmp(k, n)
    if (FLAG("--help")) { fputs(help, stdout); return 0; }
    if (FLAG("--share")) { o.share = 1; continue; }
    if (FLAG("--retain")) { o.retain = 1; continue; }
    if (FLAG("--json")) { o.json = 1; continue; }
    if (FLAG("--persist")) { o.persist = 1; continue; }
    if (FLAG("--store-only")) { o.store_only = 1; continue; }
#ifdef WITH_TLS
    if (FLAG("--tls")) { o.tls = 1; continue; }
#endif
    if (FLAG("--busy")) { o.busy = 1; continue; }
    if (FLAG("--no-busy")) { o.busy = 0; continue; }
    if (i + 1 >= argc) { fprintf(stderr, "load: %s needs a value, or is unknown (try --help)\n", k); return 2; }
    const char *v = argv[++i];
    if (FLAG("--pubs")) o.pubs = atoi(v);
    else if (FLAG("--subs") || FLAG("--conns")) o.subs = atoi(v);
    else if (FLAG("--pairs")) o.pubs = o.subs = atoi(v);
    else if (FLAG("--qos")) o.qos = atoi(v);
    else if (FLAG("--sub-qos")) o.subqos = atoi(v);
    else if (FLAG("--uprops")) o.uprops = atoi(v);
    else if (FLAG("--topics")) o.topics = atoi(v);
    else if (FLAG("--churn")) o.churn = atof(v);
    else if (FLAG("--payload")) o.payload = atoi(v);
    else if (FLAG("--window")) o.window = atoi(v);
    else if (FLAG("--inflight")) o.inflight = atoi(v);
    else if (FLAG("--refill")) o.refill = atoi(v);
    else if (FLAG("--batch")) o.batch = atoi(v);
    else if (FLAG("--seconds")) o.seconds = atof(v);
    else if (FLAG("--warmup")) o.warmup = atof(v);
    else if (FLAG("--count")) o.count = strtoull(v, NULL, 10);
    else if (FLAG("--rate")) o.rate = atof(v);
    else if (FLAG("--conc")) o.conc = atoi(v);
    else if (FLAG("--srcs")) o.srcs = atoi(v), o.srcset = 1;
    else if (FLAG("--stall")) o.stall_s = atoi(v);
    else if (FLAG("--drain")) o.drain_s = atoi(v);
    else if (FLAG("--prefix")) o.prefix = v;
    else if (FLAG("--ws")) o.ws = v;
    else if (FLAG("--label")) o.label = v;
    else if (FLAG("--core")) o.core = atoi(v);
    else if (FLAG("--host") || FLAG("-h")) o.host = v;
    else if (FLAG("--port") || FLAG("-p")) o.port = atoi(v);
    else if (FLAG("-V")) o.v = atoi(v);
    else if (FLAG("-u")) o.user = v;
    else if (FLAG("-P")) o.pass = v;
    else if (FLAG("--users")) o.users = atoi(v);
    else if (FLAG("--pid")) {
      char *d = strdup(v);
      for (char *t = strtok(d, ","); t && o.npids < 64; t = strtok(NULL, ",")) o.pids[o.npids++] = atoi(t);
    } else { fprintf(stderr, "load: unknown option %s (try --help)\n", k); return 2; }
  }
  if (o.mode == FANOUT) { if (o.pubs < 0) o.pubs = 1; if (o.subs < 0) o.subs = 100; }
  else if (o.mode == FANIN) { if (o.pubs < 0) o.pubs = 100; if (o.subs < 0) o.subs = 1; }
  else if (o.mode == IDLE) { if (o.subs < 0) o.subs = 10000; o.pubs = 0; }
  else if (o.mode == CONNECT || o.mode == SESSIONS) {
    if (!o.count && o.rate <= 0) o.count = o.mode == CONNECT ? 5000 : 10000;
    if (o.rate < 0) o.rate = 0;
    o.pubs = o.subs = 0;
    if (o.mode == SESSIONS) o.persist = 1;
  } else if (o.mode == RETAINED) {
    if (!o.count) o.count = 100000;
    o.pubs = o.subs = o.retain = 1;
    o.window = 0;
    if (o.count > 99999999) die("at most 99999999 retained messages");
    o.topics = (int)o.count;
  }
  else { if (o.pubs < 0) o.pubs = 50; o.subs = o.pubs; }
  if (o.mode == LATENCY && o.rate <= 0) o.rate = 5000;
  if (o.busy < 0) o.busy = o.mode == LATENCY;
  if (o.payload < HDRPAY) o.payload = HDRPAY;
  if (o.json && o.payload < (int)JSON_MIN) o.payload = (int)JSON_MIN;
  if (o.payload > RBUF / 4) die("payload too large");
  if (o.v != 4 && o.v != 5) die("-V takes 4 or 5");
  if (o.qos < 0 || o.qos > 2) die("--qos takes 0, 1 or 2");
  if (o.inflight < 1) o.inflight = 1;
  if (o.inflight > 65535) o.inflight = 65535;
  if (o.uprops < 0 || o.uprops > 1000) die("--uprops takes 0 to 1000");
  if (o.uprops && o.v != 5) die("--uprops needs -V 5");
  if (o.topics < 0 || o.topics > 99999999) die("--topics takes at most 99999999");
  if (o.topics && o.mode != FANIN && o.mode != RETAINED) die("--topics goes with fanin");
  if (o.churn > 0 && o.mode != FANOUT && o.mode != FANIN && o.mode != PAIRS) die("--churn goes with fanout, fanin and pairs");
  if (o.subqos < 0) o.subqos = o.mode == IDLE ? 0 : o.mode == SESSIONS ? 1 : o.qos;
  if (o.window < 0) o.window = 100;
  if (o.batch < 1) o.batch = 1;
  if (o.refill < 0) o.refill = (o.qos && (o.window == 0 || o.inflight < o.window) ? o.inflight : o.window) / 4;
  if (o.refill < 1) o.refill = 1;
  if (o.window > 0 && o.refill > o.window) o.refill = o.window;
  if (o.qos && o.refill > o.inflight) o.refill = o.inflight;
  if (o.refill > o.batch) o.refill = o.batch;
  if (o.count && o.mode != CONNECT) o.warmup = 0;
  if (!o.srcset && (o.mode == CONNECT || o.mode == SESSIONS || (o.mode == IDLE && o.subs > 20000))) o.srcs = 8;
  struct rlimit rl;
  int many = o.mode == CONNECT || o.mode == SESSIONS;
  rlim_t need = (rlim_t)(many ? 65000 : o.subs + o.pubs + 256);
  getrlimit(RLIMIT_NOFILE, &rl);
  if (rl.rlim_cur < need) {
    rl.rlim_cur = need;
    if (rl.rlim_max < need) rl.rlim_max = need;
    if (setrlimit(RLIMIT_NOFILE, &rl) && !many) die("cannot raise the open-file limit to %lu (ulimit -n)", (unsigned long)need);
  }
  signal(SIGPIPE, SIG_IGN);
  memset(&dst, 0, sizeof dst);
  dst.sin_family = AF_INET;
  dst.sin_port = htons((u16)o.port);
  if (inet_pton(AF_INET, o.host, &dst.sin_addr) != 1) die("-h takes an IPv4 address");
  run_id = (now_ns() / 1000) ^ ((u64)getpid() << 40);
  run_id &= 0xffffffffffffull;
  rbuf = xcalloc(1, RBUF);
  fill = xcalloc(1, (size_t)o.payload + 1);
  for (int i = 0; i < o.payload; i++) fill[i] = (u8)(o.json ? 'a' + i % 26 : i * 7 + 3);
  if (o.json) {
    memcpy(fill, JSON_HEAD, sizeof JSON_HEAD - 1);
    memset(fill + sizeof JSON_HEAD - 1, '0', 2 * HDRPAY);
    memcpy(fill + sizeof JSON_HEAD - 1 + 2 * HDRPAY, JSON_MID, sizeof JSON_MID - 1);
    memcpy(fill + (u32)o.payload - (sizeof JSON_TAIL - 1), JSON_TAIL, sizeof JSON_TAIL - 1);
  }
  ep = epoll_create1(EPOLL_CLOEXEC);
#ifdef WITH_TLS
  if (o.tls) tls_setup();
#endif
  if (o.mode == CONNECT || o.mode == SESSIONS) run_connect();
  else if (o.mode == RETAINED) run_retained();
  else if (o.mode == IDLE) run_idle();
  else run_traffic();
  return 0;
}
