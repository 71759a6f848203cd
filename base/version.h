/* The version of the product: what both programs print, and what a node says of itself (Semantic Versioning). */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define EVERLINE_VERSION "0.1.0"

#endif
