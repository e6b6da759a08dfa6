#!/bin/sh
# A subscriber with kcat and jq: receives the requests to tell somebody something, and tells them (here: it
# prints).
#
#   sh subscriber.sh inbox
#
# What comes from Kafka is first kept in the directory that the argument names, each notification once; then
# the place in the topic is noted; then what is due is delivered. kcat's groups (-G) would not do: they commit
# what was printed, whether or not anybody has taken care of it. Ctrl-C ends it.
set -eu

servers=${TICKETFLOW_KAFKA_BOOTSTRAP_SERVERS:-127.0.0.1:9092}
prefix=${TICKETFLOW_TOPIC_PREFIX:-tickets}
inbox=${1:?usage: sh subscriber.sh DIRECTORY (what was received is kept there)}

# Prints the committed records of a partition, from an offset to the present end.
records() { # TOPIC PARTITION OFFSET, then how to print them
    from="-t $prefix.$1 -p $2 -o $3"
    shift 3
    # shellcheck disable=SC2086 (words on purpose)
    kcat -C -q -e -b "$servers" $from -X isolation.level=read_committed -X auto.offset.reset=earliest "$@"
}

# The file's name is time and id: a ticket id may be used again, and its notifications' ids with it.
receive() { # PARTITION
    here=$inbox/$1
    mkdir -p "$here/waiting" "$here/done"
    records notifications "$1" "$(cat "$here/place" 2>/dev/null || echo beginning)" -f '%o %s\n' |
        while read -r offset event; do
            name=$(printf '%s' "$event" | jq -r '.time + "@" + .id' | tr / +)
            if [ ! -e "$here/done/$name" ]; then
                printf '%s\n' "$event" >"$here/new"
                mv "$here/new" "$here/waiting/$name"
            fi
            echo $((offset + 1)) >"$here/new"
            mv "$here/new" "$here/place"
        done
}

# Prints the citizen of a ticket, or nothing. The last record of a key counts; one without a value means that
# the ticket is over. State and notifications of a ticket are in partitions of the same number.
person() { # PARTITION TICKET CLIENT
    records state "$1" beginning -J |
        jq -cn --arg ticket "$2" --arg client "$3" '
            reduce (inputs | select(.key == $ticket)) as $record (null; $record.payload)
            | . // "null" | fromjson | .data.client // {} | select(.id == $client)'
}

# Put your mail server or SMS provider here. If this ends before the file is in done/, it is called again: so
# hand the id on, by which the other side knows a repeat. The person comes on standard input, for arguments
# are seen by everybody on the machine.
tell() { # FILE
    if [ -n "$(cat)" ]; then address=known; else address='not needed'; fi
    jq -r --arg address "$address" '
        "\(.id): \(.data.template) to \(.data.recipient.role) \(.data.recipient.ref)" +
        " by \(.data.channel), address \($address)"' "$1"
}

deliver() { # PARTITION FILE
    if jq -e '.data.recipient.role != "client"' "$2" >/dev/null; then
        tell "$2" </dev/null
        return
    fi
    person=$(person "$1" "$(jq -r .data.ticket_id "$2")" "$(jq -r .data.recipient.ref "$2")")
    if [ -z "$person" ]; then return 1; fi # its state may come a moment after the notification
    printf '%s' "$person" | tell "$2"
}

# What waits for a later time stays; what is more than a day old is not told any more.
deliver_due() { # PARTITION
    for file in "$inbox/$1"/waiting/*; do
        if [ ! -e "$file" ]; then continue; fi # there are none
        age=$(jq '(now - ((.data.not_before // .time)[0:19] + "Z" | fromdateiso8601)) | floor' "$file")
        if [ "$age" -gt 86400 ]; then
            mv "$file" "$inbox/$1/done/"
        elif [ "$age" -ge 0 ] && deliver "$1" "$file"; then
            mv "$file" "$inbox/$1/done/"
        fi
    done
    find "$inbox/$1/done" -type f -mtime +15 -exec rm {} + # the topic keeps 14 days
}

partitions=$(kcat -L -J -b "$servers" -t "$prefix.notifications" | jq '.topics[0].partitions | length')
if [ "$partitions" -eq 0 ]; then
    echo "There is no topic $prefix.notifications: check the servers and the topic prefix." >&2
    exit 1
fi
stopping=
trap 'stopping=yes' INT TERM # a delivery under way is noted before it ends
while [ -z "$stopping" ]; do
    partition=0
    while [ "$partition" -lt "$partitions" ] && [ -z "$stopping" ]; do
        receive "$partition"
        deliver_due "$partition"
        partition=$((partition + 1))
    done
    sleep 2
done
