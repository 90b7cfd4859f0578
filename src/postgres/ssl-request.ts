/** Asks for TLS before any login: eight bytes, code 80877103. Every PostgreSQL answers it with one byte. */
export const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
