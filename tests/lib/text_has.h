/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_TEXT_HAS_H
#define LIB_TEXT_HAS_H

/* Fails the test, and shows the text, when the part is not in it; a null has nothing. */
void text_has(const char *text, const char *part);

#endif
