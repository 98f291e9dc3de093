/* Where metrics are served: "[HOST]:PORT". */
#ifndef SKEP_EXPORT_ADDRESS_H
#define SKEP_EXPORT_ADDRESS_H

#include <skep/diag.h>

/**
 * Listen at @text: ":9435" (this machine only), "9435", "0.0.0.0:9435", "[::1]:9435",
 * "localhost:9435". Port 0: one that is free.
 *
 * @ret_url  "http://127.0.0.1:9435/metrics"; owned by the caller
 * Return    a descriptor | -EINVAL no address | -errno (see @diag)
 */
int skep_address_listen(const char *text, char **ret_url, struct skep_diag *diag);

#endif
