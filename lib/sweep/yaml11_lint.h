/* Warnings about scalars that YAML 1.1 reads as few people mean them. */
#ifndef RELAY_SWEEP_YAML11_LINT_H
#define RELAY_SWEEP_YAML11_LINT_H

#include "lint.h"
#include "yaml11_scalar.h"

/* Looks at a plain scalar without a tag, and at what came of it. */
void yaml11_lint_scalar(struct lint *lint, const char *name, const char *text,
                        enum scalar_type type, const struct value *v);

/* The same of a key; its place. As a key the value is a str. */
void yaml11_lint_key(struct lint *lint, const char *name, const char *text,
                     const struct value *v);

#endif
