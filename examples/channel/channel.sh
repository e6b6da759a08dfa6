#!/bin/sh
# A telephony channel with kcat: a call is registered, an operator takes it, and it is resolved.
#
#   sh channel.sh 1017
#
# 1017 is the number of the call. Run it again with the same number: the ids are the same, so nothing happens
# a second time. That is also what to do when an event was not acknowledged.
set -eu

servers=${TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS:-127.0.0.1:9092}
topic=${TICKETFLOW_TOPIC_PREFIX:-tickets}.events
source=urn:example:telephony # names this channel; nobody else uses it

# Takes the value from standard input: one line is one record. Without murmur2_random kcat would choose
# another partition than Java does, and the event would be refused.
publish() { # TICKET, then the headers
    ticket=$1
    shift
    kcat -P -q -b "$servers" -t "$topic" -k "$ticket" "$@" \
        -X partitioner=murmur2_random -X enable.idempotence=true -X message.timeout.ms=30000
}

# Structured mode: everything is in the value.
structured() { # TICKET TYPE ID TIME DATA
    printf '{"specversion":"1.0","id":"%s","source":"%s","type":"%s","subject":"%s","time":"%s","data":%s}\n' \
        "$3" "$source" "$2" "$1" "$4" "$5" |
        publish "$1" -H content-type=application/cloudevents+json || refused "$2"
    echo "$2 $3 is written"
}

# Binary mode: the attributes are headers, and the value is the data.
binary() { # TICKET TYPE ID TIME DATA
    printf '%s\n' "$5" |
        publish "$1" -H ce_specversion=1.0 -H "ce_id=$3" -H "ce_source=$source" -H "ce_type=$2" \
            -H "ce_subject=$1" -H "ce_time=$4" -H content-type=application/json || refused "$2"
    echo "$2 $3 is written"
}

refused() {
    echo "$1 was not acknowledged: run it again with the same number." >&2
    exit 1
}

case ${1:-} in
'' | *[!0-9]*)
    echo "usage: sh channel.sh NUMBER (digits: the number of the call)" >&2
    exit 2
    ;;
esac
number=$1
ticket=CALL-$number
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)

structured "$ticket" ticket.created.v1 "call-$number/registered" "$now" \
    '{"channel":"phone","category":"status_check","region":"77","client":{"id":"C-'"$number"'","email":"citizen-'"$number"'@example.com","notify":"email"}}'
binary "$ticket" ticket.assigned.v1 "call-$number/taken-1" "$now" '{"operator":"op-7"}'
binary "$ticket" ticket.resolved.v1 "call-$number/resolved-1" "$now" \
    '{"summary":"The application is being looked at."}'
