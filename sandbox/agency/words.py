"""Made-up names and phrases. Nobody in here exists; addresses are of example domains."""

from __future__ import annotations

from random import Random

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
    ("Magnolia Clinics", "USD"),
]

# First name, last name, and how their mail address writes it. Harvest shows the first name before
# the last: people whose family name comes first have it there.
PEOPLE = [
    ("Nora", "Lindqvist", "nora.lindqvist"),
    ("Étienne", "Bélanger", "etienne.belanger"),
    ("Анна", "Соколова", "anna.sokolova"),
    ("Marcus", "Okafor", "marcus.okafor"),
    ("山本", "健太", "kenta.yamamoto"),
    ("Ελένη", "Παππά", "eleni.pappa"),
    ("Siobhán", "O'Rourke", "siobhan.orourke"),
    ("ليلى", "حداد", "layla.haddad"),
    ("José María", "Ibáñez", "jm.ibanez"),
    ("陈", "雨欣", "yuxin.chen"),
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
TEAMS = ["Design", "Development", "Strategy"]
ROLES = [*TEAMS, "Management", "Finance", "Writer"]

# Name, billable by default, default hourly rate in hundredths, added to new projects, active.
TASKS: list[tuple[str, int, int | None, int, int]] = [
    ("Design", 1, 11000, 1, 1),
    ("Development", 1, 12500, 1, 1),
    ("Project Management", 1, 10500, 1, 1),
    ("Research", 1, None, 0, 1),
    ("Content", 1, 10000, 0, 1),
    ("Meetings", 0, 0, 1, 1),
    ("Business Development", 0, 0, 0, 1),
    ("Training", 0, 0, 0, 1),
    ("Print Production", 1, 9000, 0, 0),
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
HOLIDAYS = {
    "Nederland": [
        ("Nieuwjaarsdag", "01-01"),
        ("Koningsdag", "04-27"),
        ("Bevrijdingsdag", "05-05"),
        ("Kerstmis", "12-25"),
        ("Tweede Kerstdag", "12-26"),
    ],
    "United States": [
        ("New Year's Day", "01-01"),
        ("Juneteenth", "06-19"),
        ("Independence Day", "07-04"),
        ("Veterans Day", "11-11"),
        ("Christmas Day", "12-25"),
    ],
}
# Name, default, hours from Monday to Sunday.
WORK_SCHEDULES = [
    ("Full time", 1, (8.0, 8.0, 8.0, 8.0, 8.0, 0.0, 0.0)),
    ("Four days", 0, (8.0, 8.0, 8.0, 8.0, 0.0, 0.0, 0.0)),
    ("Mornings", 0, (4.25, 4.25, 4.25, 4.25, 4.25, 0.0, 0.0)),
]

# What new records are called: a word of each row.
_COMPOUNDS = {
    "clients": (
        "Alder Amber Birch Cedar Clover Coral Cypress Ember Falcon Fern Harbor Hazel Heron Juniper"
        " Larch Linden Lotus Maple Meadow Mistral Olive Orchid Poplar Quartz Raven Rowan Saffron"
        " Sequoia Spruce Thistle Willow Zephyr",
        "Analytics Bakery Biotech Books Cinemas Coffee Dental Dynamics Ferries Films Foods Gallery"
        " Gardens Insurance Interiors Law Logistics Media Motors Optics Outdoor Pharma Pictures"
        " Records Robotics Schools Solar Textiles Theatre Tools Travel Yachts",
    ),
    "projects": (
        "Autumn Spring Summer Winter Regional Global Partner Investor Member Recruiting Loyalty"
        " Holiday Founders Public Mobile Seasonal Quarterly Anniversary Launch Pilot",
        "Brochure Campaign Catalogue Exhibition Film Guidelines Handbook Identity Intranet"
        " Microsite Podcast Portal Prototype Redesign Report Shop Survey Toolkit Website Workshop",
    ),
    "tasks": (
        "Accessibility Content Data Editorial Interface Launch Motion Server Style Type",
        "Checks Coaching Migration Planning Production Review Testing Training Support Workshops",
    ),
    "roles": (
        "Brand Content Data Digital Interim Junior Lead Motion Senior Service",
        "Advisor Analyst Coach Consultant Designer Editor Engineer Planner Producer Writer",
    ),
    "expense_categories": (
        "Conference Courier Equipment Font Office Photo Rental Studio Venue Workshop",
        "Costs Fees Hire Licences Material Passes Services Supplies Tickets Transport",
    ),
    "invoice_item_categories": (
        "Design Hosting Licence Media Print Strategy",
        "Bundle Fee Package Retainer Service Share",
    ),
    "pto_types": (
        "Compassionate Family Moving Public Study Wellness",
        "Break Days Leave Recess Time Week",
    ),
    "pto_holiday_calendars": (
        "Central Coastal Eastern Northern Southern Western",
        "Cantons Counties Islands Lands Provinces States",
    ),
    "pto_work_schedules": (
        "Early Flexible Late Long Short Split",
        "Days Hours Mornings Shifts Terms Weeks",
    ),
}
_COMPOUNDS["estimate_item_categories"] = _COMPOUNDS["invoice_item_categories"]


def new_name(rng: Random, table: str) -> str:
    """Draw a name for a new record of a table."""
    return " ".join(rng.choice(words.split()) for words in _COMPOUNDS[table])
