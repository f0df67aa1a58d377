(ns suite.world
  "What scenarios share: clients with a root of their own, waiting, and control of the servers."
  (:require [clojure.string :as string])
  (:import (java.io BufferedReader InputStreamReader OutputStreamWriter)
           (java.net Socket)
           (java.util.concurrent LinkedBlockingQueue TimeUnit)
           (org.apache.zookeeper AsyncCallback$VoidCallback CreateMode KeeperException
                                 KeeperException$Code KeeperException$ConnectionLossException
                                 Watcher Watcher$Event$EventType Watcher$Event$KeeperState
                                 ZooDefs$Ids ZooKeeper)))

(def patience-ms
  "Longer than anything takes on a busy machine."
  60000)
(def session-ms 20000)

(defn check
  "Fails unless it holds."
  [holds & otherwise]
  (when-not holds (throw (AssertionError. (string/join " " otherwise)))))

(defn eventually
  "Waits until the condition holds, and gives what it gave: that it will is the server's word, not
  how soon."
  [what condition]
  (let [deadline (+ (System/currentTimeMillis) patience-ms)]
    (loop []
      (or (condition)
          (do (check (< (System/currentTimeMillis) deadline) "never happened:" what)
              (Thread/sleep 20)
              (recur))))))

(defn text [^String it] (.getBytes it "UTF-8"))

(defn string-of [^bytes data] (String. data "UTF-8"))

(defn events
  "A watcher that collects events, and the queue of those of znodes as [type path] and of those of
  the connection as the state."
  []
  (let [queue (LinkedBlockingQueue.)]
    [(reify Watcher
       (process [_ event]
         (.add queue (if (= (.getType event) Watcher$Event$EventType/None)
                       (.getState event)
                       [(str (.getType event)) (.getPath event)]))))
     queue]))

(defn next-event
  "The next event of a znode; those of the connection are passed over."
  [^LinkedBlockingQueue queue]
  (loop []
    (let [event (.poll queue patience-ms TimeUnit/MILLISECONDS)]
      (check event "waited in vain for an event")
      (if (vector? event) event (recur)))))

(defn await-state [^LinkedBlockingQueue queue state]
  (loop []
    (let [event (.poll queue patience-ms TimeUnit/MILLISECONDS)]
      (check event "waited in vain for" (str state))
      (when-not (= event state) (recur)))))

(defn sync! [^ZooKeeper zk path]
  (let [done (promise)]
    (.sync zk path (reify AsyncCallback$VoidCallback
                     (processResult [_ code _ _] (deliver done code))) nil)
    (check (= 0 (deref done patience-ms :late)) "sync failed")))

(defn connect
  "A connected client of some servers, and the queue of its events."
  ([world servers] (connect world servers session-ms))
  ([{:keys [root open]} servers timeout-ms]
   (let [[watcher queue] (events)
         zk (ZooKeeper. (str servers root) (int timeout-ms) ^Watcher watcher)]
     (swap! open conj #(.close zk))
     (await-state queue Watcher$Event$KeeperState/SyncConnected)
     [zk queue])))

(defn client
  "A connected client of the server that a scenario sees, with all that was there before."
  [world]
  (let [[zk] (connect world (:server world))]
    (sync! zk "/")
    zk))

(defn create
  ([zk path] (create zk path "" CreateMode/PERSISTENT))
  ([zk path data] (create zk path data CreateMode/PERSISTENT))
  ([^ZooKeeper zk path ^String data mode]
   (.create zk path (text data) ZooDefs$Ids/OPEN_ACL_UNSAFE ^CreateMode mode)))

(defn data-of [^ZooKeeper zk path] (string-of (.getData zk path false nil)))

(defn set-data
  ([zk path data] (set-data zk path data -1))
  ([^ZooKeeper zk path data version] (.setData zk path (text data) (int version))))

(defn children [^ZooKeeper zk path] (vec (sort (.getChildren zk path false))))

(defn stat [^ZooKeeper zk path] (.exists zk path false))

(defn code-of
  "The name of the error that a call fails with; nil if it does not."
  [call]
  (try (call) nil
       (catch KeeperException error (str (.code error)))))

(defmacro fails [code & body]
  `(let [found# (code-of (fn [] ~@body))]
     (check (= ~code found#) "the error is" (str found#) "and not" ~code)))

(defn insist
  "Repeats a call while there is no connection."
  [call]
  (first (eventually "a connection"
                     #(try [(call)] (catch KeeperException$ConnectionLossException _ nil)))))

(defn create-once
  "Creates a znode, which an earlier attempt whose reply was lost may have done."
  [zk path]
  (let [code (code-of #(create zk path))]
    (when (and code (not= code "NODEEXISTS"))
      (throw (KeeperException/create (KeeperException$Code/valueOf code) path)))
    path))

(defn control
  "Asks whoever started the servers for something; the words of the answer."
  [question]
  (let [[host port] (string/split (System/getenv "ZABRA_COMPAT_CONTROL") #":")]
    (with-open [socket (Socket. ^String host (Integer/parseInt port))]
      (doto (OutputStreamWriter. (.getOutputStream socket) "UTF-8")
        (.write (str question "\n"))
        (.flush))
      (let [answer (.readLine (BufferedReader. (InputStreamReader. (.getInputStream socket) "UTF-8")))
            [ok & words] (string/split answer #" ")]
        (check (= ok "ok") question answer)
        words))))

(defmacro with-killed
  "A server is dead meanwhile; the only one is started again at once."
  [address & body]
  `(try
     (control (str "kill " ~address))
     (when (= 1 (count (control "servers"))) (control "restore"))
     ~@body
     (finally (control "restore"))))

(defn server-of
  "Where a client is connected."
  [zk]
  (second (re-find #"remoteserver:\S*/(\S+) lastZxid" (str zk))))

(defn delete-all [^ZooKeeper zk path]
  (doseq [name (.getChildren zk path false)] (delete-all zk (str path "/" name)))
  (.delete zk path -1))

(defn make
  "A world for a scenario."
  [servers name quick]
  (let [all (string/split servers #",")
        root (str "/compat-clojure-" name "-" (System/nanoTime))
        world {:servers servers :server (nth all (mod (hash name) (count all))) :all all
               :root root :quick quick :open (atom ())}
        [above] (connect (assoc world :root "") servers)]
    (create above root)
    (assoc world :above above)))

(defn close [{:keys [open above root]}]
  (let [[own others] [(last @open) (butlast @open)]]
    (doseq [end others] (try (end) (catch Exception _ nil)))
    (try (delete-all above root) (finally (own)))))
