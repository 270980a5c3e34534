"""Made-up names and phrases. Nobody in here exists; addresses are of example domains."""

from __future__ import annotations

CLIENTS = [
    ("Northwind Orchard", "USD"),
    ("Blauwe Haven Logistiek", "EUR"),
    ("Пекарня «Тёплый хлеб»", "EUR"),
    ("Pemberton & Daughters", "GBP"),
    ("株式会社みどりの森", "USD"),
    ("Ναυτιλιακή Αιγαίου", "EUR"),
    ("Café Crème & Cie", "EUR"),
    ('The "Quiet" Hotel Group', "GBP"),
    ("شركة النخيل للتجارة", "USD"),
    ("Łódzka Stolarnia", "EUR"),
    ("青山文化有限公司", "USD"),
    ("Smørrebrød Brothers", "EUR"),
    ("Harrow Vale Museum", "GBP"),
    ("Señal Verde Energía", "EUR"),
    ("Two Rivers Credit Union", "USD"),
    ("Gürtler Maschinenbau", "EUR"),
    ("Copper Kettle Brewing", "USD"),
    ("O'Malley Instruments", "GBP"),
    ("Lumière du Nord", "USD"),
    ("Tamarind Foundation", "USD"),
    ("Åkerlund Textil", "EUR"),
    ("Foxglove Publishing", "GBP"),
    ("Bright Bay Aquarium", "USD"),
    ("Žlutý Balón", "EUR"),
]

# First name, last name, and how their mail address writes it.
PEOPLE = [
    ("Nora", "Lindqvist", "nora.lindqvist"),
    ("Étienne", "Bélanger", "etienne.belanger"),
    ("Анна", "Соколова", "anna.sokolova"),
    ("Marcus", "Okafor", "marcus.okafor"),
    ("健太", "山本", "kenta.yamamoto"),
    ("Ελένη", "Παππά", "eleni.pappa"),
    ("Siobhán", "O'Rourke", "siobhan.orourke"),
    ("ليلى", "حداد", "layla.haddad"),
    ("José María", "Ibáñez", "jm.ibanez"),
    ("雨欣", "陈", "yuxin.chen"),
    ("Grace", "Whitfield", "grace.whitfield"),
    ("Jürgen", "Weiß", "juergen.weiss"),
    ("Priya", "Raman", "priya.raman"),
    ("Tomasz", "Żak", "tomasz.zak"),
    ("Ingrid", "Sørensen", "ingrid.sorensen"),
]

# fmt: off
FIRST_NAMES = [
    "Alba", "Bram", "Clara", "Dario", "Edda", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Katya",
    "Luca", "Mara", "Nils", "Olga", "Pavel", "Quinn", "Rosa", "Stefan", "Thea", "Umar", "Vera",
    "Wim", "Xenia", "Yusuf", "Zoe",
]
LAST_NAMES = [
    "Abel", "Berger", "Castro", "Dunn", "Ekström", "Ferrari", "Grant", "Haas", "Ivanov", "Jansen",
    "Kovač", "Larsson", "Moreau", "Nagy", "Ortiz", "Petrov", "Quist", "Rossi", "Silva", "Tanaka",
    "Ulrich", "Vidal", "Wolff", "Yilmaz", "Zeman",
]
# fmt: on

TITLES = ["Marketing Manager", "Accounts Payable", "CEO", "Produktleiterin", "Head of IT", None]
RECIPIENTS = ["none", "recipient", "none", "cc", "bcc"]
"""Who of the contacts gets invoices."""
ZONES = [
    "Eastern Time (US & Canada)",
    "Pacific Time (US & Canada)",
    "London",
    "Berlin",
    "Athens",
    "Tokyo",
]
ROLES = ["Designer", "Developer", "Project Manager", "Writer", "Founder", "Finance"]

# Name, billable by default, default hourly rate in hundredths, added to new projects, active.
TASKS: list[tuple[str, int, int | None, int, int]] = [
    ("Design", 1, 11000, 1, 1),
    ("Development", 1, 12500, 1, 1),
    ("Project Management", 1, 9500, 1, 1),
    ("Research", 1, None, 0, 1),
    ("Content", 1, 8500, 0, 1),
    ("Meetings", 0, 0, 1, 1),
    ("Business Development", 0, 0, 0, 1),
    ("Holiday", 0, 0, 0, 1),
    ("Print Production", 1, 7000, 0, 0),
]

# Name, unit name, unit price, active.
EXPENSE_CATEGORIES: list[tuple[str, str | None, float | None, int]] = [
    ("Travel", None, None, 1),
    ("Meals", None, None, 1),
    ("Lodging", None, None, 1),
    ("Mileage", "km", 0.425, 1),
    ("Printing", "page", 0.12, 1),
    ("Software", None, None, 1),
    ("Entertainment", None, None, 0),
]

PROJECTS = [
    "Website Relaunch",
    "Brand Refresh",
    "Online Shop",
    "Mobile App",
    "Annual Report",
    "Campaign Frühling",
    "Maintenance",
    "Data Dashboard",
    "Packaging",
    "ブランドサイト",
    "Newsletter",
    "Accessibility Audit",
]

NOTES = [
    "Wireframes for the start page",
    "Review with client",
    "Bug fixing",
    'Reworked the "about us" copy',
    "Sprint planning\nBacklog grooming\n\nRetrospective",
    "Fixed the login form; see ticket",
    "Entwürfe für die Startseite überarbeitet",
    "Правки по макету",
    "打ち合わせ",
    "Shipping day 🚀",
    "Relecture des épreuves, 2ᵉ tour",
    "Σχεδιασμός εικονιδίων",
    "Call about scope — 50% done, C:\\temp cleaned up\r\nNext: estimates",
    "مراجعة التصميم",
    "Photo selection\tand retouching",
    "",
    None,
    None,
    None,
]

EXPENSE_NOTES = [
    "Train to client workshop",
    "Lunch with client",
    "Hotel, two nights",
    "Stock photos",
    'Proofs, "A3 matte"',
    "Taxi — трансфер",
    None,
]
RECEIPTS = [
    ("receipt.pdf", "application/pdf"),
    ("IMG_2041.jpg", "image/jpeg"),
    ("quittung_müller.png", "image/png"),
]

# Name, color, icon, how days accrue, on which schedule, days a year, carried over at most,
# requires approval, active.
TIME_OFF_TYPES: list[
    tuple[str, str, str | None, str, str | None, float | None, float | None, int, int]
] = [
    ("Vacation", "#f5a623", "palm_tree", "fixed", None, 25.0, 5.0, 1, 1),
    ("Sick leave", "#d0021b", "thermometer", "unlimited", None, None, None, 0, 1),
    ("Sonderurlaub", "#4a90e2", None, "fixed", None, 3.5, 0.0, 1, 1),
    ("Volunteering", "#7ed321", "heart", "accrued", "monthly", 6.0, 1.5, 1, 1),
    ("Parental leave", "#9013fe", "stroller", "fixed", None, 0.0, None, 1, 0),
]
TIME_OFF_NOTES = ["", None, None, "Family visit", "Umzug", "遠足", "See you in three weeks 🌴"]
HOLIDAYS = [
    ("New Year", "01-01"),
    ("Labour Day", "05-01"),
    ("Weihnachten", "12-25"),
    ("Saint Stephen's Day", "12-26"),
]
# Name, default, hours from Monday to Sunday.
WORK_SCHEDULES = [
    ("Full time", 1, (8.0, 8.0, 8.0, 8.0, 8.0, 0.0, 0.0)),
    ("Four days", 0, (8.0, 8.0, 8.0, 8.0, 0.0, 0.0, 0.0)),
    ("Mornings", 0, (4.25, 4.25, 4.25, 4.25, 4.25, 0.0, 0.0)),
]
