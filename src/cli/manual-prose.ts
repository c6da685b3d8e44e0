/** A part of the page that no command knows of: paragraphs, or terms with what they mean. */
export interface Section {
  readonly title: string;
  readonly paragraphs?: readonly string[];
  readonly terms?: readonly (readonly [string, string])[];
  /** Lines to type, as they are. */
  readonly typed?: readonly (readonly [string, string])[];
}

/** What the manual page says before the commands. */
export const PROSE: readonly Section[] = [
  {
    title: "DESCRIPTION",
    paragraphs: [
      "One executable is the pool, the node and the command line of both. A pool lets machines join over gRPC, counts the time each of them proves to have run, and pays for it. The commands ask the pool that runs on this machine, over HTTP on the loopback address; --url and --token name another one.",
      "As a service it is galaxy-pool.service, and galaxy-node.service on a machine that joined a pool. The name galaxy-cli means the same program.",
    ],
  },
];

/** What the manual page says after the commands. */
export const ENDING: readonly Section[] = [
  {
    title: "EXIT STATUS",
    terms: [
      ["0", "Done."],
      ["1", "Refused: understood, and not possible or not allowed. The message says what to do."],
      ["2", "Not understood: a wrong command, option or value."],
      ["3", "The pool cannot be reached or is not ready. Trying again may help."],
      ["4", "A check failed: something is not as it should be."],
      ["70", "A fault of the program itself."],
    ],
    paragraphs: [
      "The services are started again after 3, 70 and any signal, and left alone after 1, 2 and 4, which no second try would change.",
    ],
  },
  {
    title: "ENVIRONMENT",
    paragraphs: [
      "Options come before the environment, the environment before the configuration file. The services read it from /etc/galaxy-pool/galaxy-pool.env and /etc/galaxy-node/galaxy-node.env.",
    ],
    terms: [
      [
        "GALAXY_POOL_<SECTION>_<KEY>",
        "Any key of the configuration, such as GALAXY_POOL_HTTP_PORT; galaxy-pool config reference names them all.",
      ],
      ["GALAXY_POOL_CONFIG", "The configuration file, where --config is not given."],
      ["GALAXY_POOL_DATA", "The data folder, where neither --data nor the file names one."],
      [
        "GALAXY_POOL_URL, GALAXY_POOL_TOKEN, GALAXY_POOL_TOKEN_FILE",
        "For node join: the address of the pool, and the join token or a file that holds it. For commands that ask a pool: what --url and --token would say.",
      ],
      [
        "GALAXY_POOL_PIN, GALAXY_POOL_CA",
        "By what that pool is believed: what --pin and --ca would say.",
      ],
      [
        "NODE_MANAGEMENT_PORT, DATABASE_URL, MAX_NODES_PER_POOL, PAYOUT_THRESHOLD_USDT, POOT_CALCULATION_INTERVAL, PAYOUT_PROCESSING_INTERVAL, LOG_LEVEL",
        "Short names of http.port, database.url, registry.max_nodes, payout.threshold_usdt, poot.interval_seconds, payout.interval_seconds and logging.level.",
      ],
      [
        "ENV",
        "production, development or test. With production, demonstration settings are refused.",
      ],
    ],
  },
  {
    title: "FILES",
    terms: [
      ["/etc/galaxy-pool/config.yaml", "The configuration of a pool. It holds no secrets."],
      [
        "/etc/galaxy-pool/galaxy-pool.env",
        "Its environment, secrets among it; only root reads it.",
      ],
      [
        "/var/lib/galaxy-pool",
        "Keys, certificates, database and operator token of a pool: a link into /var/lib/private, where another disk would be mounted.",
      ],
      ["/etc/galaxy-node/galaxy-node.env", "The environment of a node."],
      ["/var/lib/galaxy-node", "The key, the certificate and the state of a node."],
      [
        "/etc/systemd/system/galaxy-pool.service, galaxy-node.service",
        "The units. galaxy-pool files prints them, and the drop-ins lan.conf, node-lan.conf, wx.conf and credentials.conf.",
      ],
    ],
  },
  {
    title: "SIGNALS",
    terms: [
      [
        "SIGTERM, SIGINT",
        "Stop: no new work, what is under way is finished, what is in memory is written.",
      ],
      [
        "SIGHUP",
        "A pool reads its configuration again; one that is not good is refused and the old one stays. A node connects anew.",
      ],
    ],
  },
  {
    title: "EXAMPLES",
    typed: [
      ["See whether the pool is well, what it owes and when it pays next:", "galaxy-pool status"],
      [
        "Make a token with which one machine may join within the hour:",
        "galaxy-pool token create --uses 1 --ttl 1h",
      ],
      ["Join with it, on that machine:", "galaxy-pool node join pool.lan --token GP1.…"],
      [
        "Check a change of the configuration, then take it over without a restart:",
        "galaxy-pool config check && systemctl reload galaxy-pool",
      ],
      [
        "Limit the pool to the local network:",
        "mkdir -p /etc/systemd/system/galaxy-pool.service.d && galaxy-pool files lan.conf > /etc/systemd/system/galaxy-pool.service.d/lan.conf && systemctl daemon-reload && systemctl restart galaxy-pool",
      ],
    ],
  },
  {
    title: "SECURITY",
    paragraphs: [
      "Trust comes from the fingerprint of the pool's certificate authority, which every join token carries; a node that finds another one sends nothing and says so. Whoever controls the environment or the executable controls the pool.",
      "Report a vulnerability to security@hybridconnect.cloud; /.well-known/security.txt of every pool says the same.",
    ],
  },
  {
    title: "SEE ALSO",
    paragraphs: ["systemctl(1), journalctl(1), systemd.exec(5), systemd.resource-control(5)"],
  },
];
