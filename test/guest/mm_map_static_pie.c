// build: -static-pie
#include "mm_map.c"
