/* Bodies of the machine's speed bars, each u64 body_x(u8 *data, u8 *end): compiled natively and
 * as BPF. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define AI static inline __attribute__((always_inline))
#ifdef __clang__
#define NU _Pragma("clang loop unroll(disable)")
#else
#define NU
#endif
/* a: FNV-1a over 1024 bytes */
AI u64 body_fnv(u8 *d, u8 *e) {
  u32 h = 0x811c9dc5;
  NU for (int i = 0; i < 1024; i++) {
    if (d + i + 1 > e)
      break;
    h = (h ^ d[i]) * 0x01000193;
  }
  return h;
}
/* b: xx-like 64-bit over 1024 bytes */
AI u64 body_h64(u8 *d, u8 *e) {
  u64 h = 0x9E3779B185EBCA87ULL;
  NU for (int i = 0; i < 1024; i += 8) {
    if (d + i + 8 > e)
      break;
    u64 v = *(u64 *)(d + i);
    v *= 0xC2B2AE3D27D4EB4FULL;
    v = (v << 31) | (v >> 33);
    h ^= v * 0x9E3779B185EBCA87ULL;
    h = ((h << 27) | (h >> 37)) * 0x9E3779B185EBCA87ULL + 0x85EBCA77C2B2AE63ULL;
  }
  return (u32)(h ^ (h >> 32));
}
/* c: trial division primality, n from packet */
AI u64 body_prime(u8 *d, u8 *e) {
  if (d + 4 > e)
    return 0;
  u32 n = *(u32 *)d;
  NU for (u32 i = 2; i < 1001; i++) {
    if (n % i == 0)
      return i;
  }
  return 1;
}
/* d: log2 loop, branchy */
AI u64 body_log2(u8 *d, u8 *e) {
  if (d + 4 > e)
    return 0;
  u32 x = *(u32 *)d;
  u32 acc = 0;
  NU for (int i = 0; i < 512; i++) {
    x = x * 1664525 + 1013904223;
    u32 v = x >> (x & 15), r = 0;
    if (v >= 65536) {
      r += 16;
      v >>= 16;
    }
    if (v >= 256) {
      r += 8;
      v >>= 8;
    }
    if (v >= 16) {
      r += 4;
      v >>= 4;
    }
    if (v >= 4) {
      r += 2;
      v >>= 2;
    }
    if (v >= 2)
      r += 1;
    acc += r;
  }
  return acc;
}
/* e: memcpy-like 512 B within packet */
AI u64 body_copy(u8 *d, u8 *e) {
  if (d + 1024 > e)
    return 0;
  NU for (int i = 0; i < 512; i += 8) { *(volatile u64 *)(d + 512 + i) = *(volatile u64 *)(d + i); }
  return 7;
}
/* f: packet parser w/ switches + tcp option loop */
AI u64 body_parse(u8 *d, u8 *e) {
  u8 *p = d;
  if (p + 14 > e)
    return 1;
  u16 t = *(u16 *)(p + 12);
  p += 14;
  u32 cls = 0;
  u64 fl = 0;
  u8 proto;
  if (t == 0x0081 || t == 0xa888) {
    if (p + 4 > e)
      return 2;
    t = *(u16 *)(p + 2);
    p += 4;
    cls |= 0x100;
  }
  switch (t) {
  case 0x0008: {
    if (p + 20 > e)
      return 3;
    u32 ihl = (p[0] & 15) * 4;
    if (ihl < 20)
      return 4;
    proto = p[9];
    fl = *(u32 *)(p + 12) * 31ULL + *(u32 *)(p + 16);
    if (p + ihl > e)
      return 5;
    p += ihl;
    break;
  }
  case 0xdd86: {
    if (p + 40 > e)
      return 6;
    proto = p[6];
    fl = *(u64 *)(p + 8) ^ *(u64 *)(p + 24);
    p += 40;
    break;
  }
  case 0x0608:
    return 0x806;
  default:
    return 7;
  }
  switch (proto) {
  case 6: {
    if (p + 20 > e)
      return 8;
    fl = fl * 31 + *(u32 *)p;
    u32 doff = (p[12] >> 4) * 4;
    if (doff < 20)
      return 9;
    u8 *o = p + 20;
    u32 left = doff - 20;
    u32 mss = 0, ws = 0, ts = 0, sack = 0;
    NU for (int i = 0; i < 10; i++) {
      if (left == 0 || left > 40)
        break;
      if (o + 1 > e)
        break;
      u8 k = *o;
      if (k == 0)
        break;
      if (k == 1) {
        o++;
        left--;
        continue;
      }
      if (o + 2 > e)
        break;
      u8 l = o[1];
      if (l < 2 || l > 40 || l > left)
        break;
      switch (k) {
      case 2:
        if (o + 4 > e)
          return 10;
        mss = *(u16 *)(o + 2);
        break;
      case 3:
        if (o + 3 > e)
          return 11;
        ws = o[2];
        break;
      case 4:
        sack = 1;
        break;
      case 5:
        sack = 2;
        break;
      case 8:
        if (o + 10 > e)
          return 12;
        ts = *(u32 *)(o + 2);
        break;
      case 19:
        return 13;
      default:
        cls |= 0x200;
      }
      o += l;
      left -= l;
    }
    return (u32)(fl ^ (fl >> 32)) ^ mss ^ ws ^ ts ^ sack ^ cls;
  }
  case 17:
    if (p + 8 > e)
      return 14;
    return (u32)(fl * 31 + *(u32 *)p) ^ cls;
  case 1:
    return 15;
  case 58:
    return 16;
  case 132:
    return 17;
  default:
    return 18;
  }
}
