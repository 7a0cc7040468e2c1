// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Words that stand for numbers in rdata text. Called by printing and scanning. The well-known ports
// are a table here and not the system's services file: a zone must mean the same on every machine.

#include "rdata_names.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "rdata_code.h"

struct word {
	uint16_t number;
	const char *text;
};

// Of several words for one number the first is printed.
static const struct word algorithms[] = {{1, "RSAMD5"}, {2, "DH"}, {3, "DSA"}, {4, "ECC"},
    {5, "RSASHA1"}, {6, "NSEC3DSA"}, {6, "DSA-NSEC3-SHA1"}, {7, "NSEC3RSASHA1"},
    {7, "RSASHA1-NSEC3-SHA1"}, {8, "RSASHA256"}, {10, "RSASHA512"}, {12, "ECCGOST"},
    {12, "ECC-GOST"}, {13, "ECDSAP256SHA256"}, {14, "ECDSAP384SHA384"}, {15, "ED25519"},
    {16, "ED448"}, {252, "INDIRECT"}, {253, "PRIVATEDNS"}, {254, "PRIVATEOID"}, {0, NULL}};

static const struct word cert_types[] = {{1, "PKIX"}, {2, "SPKI"}, {3, "PGP"}, {4, "IPKIX"},
    {5, "ISPKI"}, {6, "IPGP"}, {7, "ACPKIX"}, {8, "IACPKIX"}, {253, "URI"}, {254, "OID"},
    {0, NULL}};

static const struct word protocols[] = {{1, "icmp"}, {2, "igmp"}, {3, "ggp"}, {5, "st"}, {6, "tcp"},
    {8, "egp"}, {9, "igp"}, {17, "udp"}, {50, "esp"}, {51, "ah"}, {132, "sctp"}, {0, NULL}};

static const struct word ports[] = {{1, "tcpmux"}, {5, "rje"}, {7, "echo"}, {9, "discard"},
    {11, "systat"}, {11, "users"}, {13, "daytime"}, {15, "netstat"}, {17, "qotd"}, {17, "quote"},
    {19, "chargen"}, {20, "ftp-data"}, {21, "ftp"}, {22, "ssh"}, {23, "telnet"}, {25, "smtp"},
    {37, "time"}, {39, "rlp"}, {42, "nameserver"}, {43, "nicname"}, {43, "whois"}, {49, "tacacs"},
    {53, "domain"}, {67, "bootps"}, {68, "bootpc"}, {69, "tftp"}, {70, "gopher"}, {77, "rje"},
    {79, "finger"}, {80, "http"}, {80, "www"}, {87, "link"}, {88, "kerberos"}, {95, "supdup"},
    {101, "hostname"}, {101, "hostnames"}, {102, "iso-tsap"}, {107, "rtelnet"}, {109, "pop2"},
    {110, "pop3"}, {111, "sunrpc"}, {113, "auth"}, {115, "sftp"}, {117, "uucp-path"}, {119, "nntp"},
    {123, "ntp"}, {137, "netbios-ns"}, {138, "netbios-dgm"}, {139, "netbios-ssn"}, {143, "imap"},
    {143, "imap2"}, {161, "snmp"}, {162, "snmptrap"}, {179, "bgp"}, {194, "irc"}, {389, "ldap"},
    {443, "https"}, {465, "smtps"}, {515, "printer"}, {587, "submission"}, {636, "ldaps"},
    {853, "domain-s"}, {993, "imaps"}, {995, "pop3s"}, {0, NULL}};

static int number_of(const struct word *words, uint32_t max, const char *text, size_t len)
{
	uint32_t number;

	if (code_uint(text, len, max, &number) == 0)
		return (int)number;
	for (; words->text != NULL; words++)
		if (strlen(words->text) == len && strncasecmp(words->text, text, len) == 0)
			return words->number;
	return -EINVAL;
}

static const char *word_of(const struct word *words, unsigned number)
{
	for (; words->text != NULL; words++)
		if (words->number == number)
			return words->text;
	return NULL;
}

int rdata_algorithm_from_text(const char *text, size_t len)
{
	return number_of(algorithms, UINT8_MAX, text, len);
}

int rdata_cert_type_from_text(const char *text, size_t len)
{
	return number_of(cert_types, UINT16_MAX, text, len);
}

int rdata_protocol_from_text(const char *text, size_t len)
{
	return number_of(protocols, UINT8_MAX, text, len);
}

int rdata_port_from_text(const char *text, size_t len)
{
	return number_of(ports, UINT16_MAX, text, len);
}

const char *rdata_algorithm_name(unsigned number)
{
	return word_of(algorithms, number);
}

const char *rdata_cert_type_name(unsigned number)
{
	return word_of(cert_types, number);
}
