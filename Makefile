# Everline: see README.md. `make help` lists the targets.
SHELL := /bin/bash
BUILD ?= build
CC ?= gcc
MODE ?= release

FOLDERS := base storage raft core telephony api node cli
PKGS := sofia-sip-ua raft libuv sqlite3 openssl libcurl jansson libprotobuf-c libwebsockets yaml-0.1 libcyaml spandsp speexdsp

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wswitch-enum -Wundef -Werror
SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SAN_tsan := -fsanitize=thread -fno-omit-frame-pointer
OPT_release := -O2 -g
OPT_asan := -O1 -g
OPT_tsan := -O1 -g
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE $(OPT_$(MODE)) $(SAN_$(MODE)) -fstack-protector-strong -fno-strict-aliasing \
	-pthread -I. -I$(BUILD)/gen $(shell pkg-config --cflags-only-I $(PKGS) | sed 's/-I/-isystem /g') $(CFLAGS)
LDFLAGS_ALL = $(SAN_$(MODE)) -pthread $(LDFLAGS)
